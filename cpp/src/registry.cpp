#include "registry.hpp"

#include <span>
#include <stdexcept>
#include <string>

namespace headrace {

namespace {

struct Row {
    std::string_view name;
    Method method;
};

constexpr std::string_view kSearched = "cascade_routing";

constexpr Row kStrategies[] = {
    {"routing", {nullptr, make_routing}},
    {"cascade", {make_cascade, nullptr}},
    {"index", {nullptr, make_index}},
};

constexpr Row kSearches[] = {
    {"exact", {make_exact, nullptr}},
    {"greedy", {make_greedy, nullptr}},
    {"exhaustive", {make_exhaustive, nullptr}},
};

const Row* find(std::span<const Row> rows, std::string_view name) {
    for (const Row& row : rows) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

}  // namespace

Method find_method(std::string_view strategy, std::string_view search) {
    const Row* searched = find(kSearches, search);
    if (searched == nullptr) throw std::invalid_argument("unknown search " + std::string(search));
    if (strategy == kSearched) return searched->method;
    const Row* row = find(kStrategies, strategy);
    if (row == nullptr) throw std::invalid_argument("unknown strategy " + std::string(strategy));
    return row->method;
}

}  // namespace headrace
