// Checks of sizes that memory safety depends on.
#pragma once

#include <cstddef>
#include <limits>
#include <stdexcept>

namespace headrace {

inline void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

// The product of two sizes, if an array of so many numbers can be addressed.
inline std::size_t product(std::size_t a, std::size_t b) {
    if (b != 0 && a > std::numeric_limits<std::size_t>::max() / sizeof(double) / b) {
        throw std::invalid_argument("the product of the sizes overflows");
    }
    return a * b;
}

}  // namespace headrace
