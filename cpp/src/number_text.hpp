// Numbers in messages: the shortest text that reads back as the same.
#pragma once

#include <charconv>
#include <string>

namespace headrace {

inline std::string number_text(double number) {
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

}  // namespace headrace
