// The label of a query's group: a text in UTF-8, a number, or none.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace headrace {

using Label = std::variant<std::monostate, std::string_view, std::int64_t, double>;

}  // namespace headrace
