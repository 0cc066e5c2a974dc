#include "registry.hpp"

#include <span>
#include <stdexcept>
#include <string>

namespace headrace {

namespace {

struct Row {
    std::string_view name;
    std::unique_ptr<Decider> (*make)();
};

constexpr std::string_view kSearched = "cascade_routing";

constexpr Row kStrategies[] = {
    {"routing", make_routing},
    {"cascade", make_cascade},
    {"index", make_index},
};

constexpr Row kSearches[] = {
    {"exact", make_exact},
    {"greedy", make_greedy},
    {"exhaustive", make_exhaustive},
};

const Row* find(std::span<const Row> rows, std::string_view name) {
    for (const Row& row : rows) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

}  // namespace

std::unique_ptr<Decider> make_decider(std::string_view strategy, std::string_view search) {
    const Row* searched = find(kSearches, search);
    if (searched == nullptr) throw std::invalid_argument("unknown search " + std::string(search));
    if (strategy == kSearched) return searched->make();
    const Row* row = find(kStrategies, strategy);
    if (row == nullptr) throw std::invalid_argument("unknown strategy " + std::string(strategy));
    return row->make();
}

}  // namespace headrace
