// JSON (RFC 8259) as data, read strictly: one value, nothing after it, no name twice in an object,
// no number beyond the range of doubles, and texts that are Unicode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace headrace::json {

class Error : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

struct Value;
using List = std::vector<Value>;
using Object = std::map<std::string, Value, std::less<>>;  // by the bytes of the names

// A number without a fraction and an exponent is an integer, as long as it fits; texts are UTF-8.
struct Value {
    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Object> is;

    template <class T>
    const T* get_if() const {
        return std::get_if<T>(&is);
    }
};

inline constexpr std::size_t kDeepest = 64;  // lists and objects within each other

// Throws Error, which says what is wrong at which byte.
Value parse(std::string_view text);

}  // namespace headrace::json
