// Numbers in messages, and what is wrong with one.
#pragma once

#include <charconv>
#include <cmath>
#include <string>

#include "headrace/problem.hpp"

namespace headrace {

// The shortest text that reads back as the same.

inline std::string number_text(double number) {
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

// Which rule a number breaks that is not between zero, or anything, and kLargestMagnitude.
inline std::string broken_rule(double number) {
    if (!std::isfinite(number)) return "must be finite, got " + number_text(number);
    const char* rule = std::abs(number) > kLargestMagnitude
                           ? "must not exceed 1e+100 in magnitude, got "
                           : "must not be negative, got ";
    return rule + number_text(number);
}

}  // namespace headrace
