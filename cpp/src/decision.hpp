// What a strategy or a search returns for one query, and the rule that settles ties.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "query.hpp"

namespace headrace {

struct Decision {
    std::vector<std::size_t> added;  // models to add to those that have run, ascending
    double quality = 0.0;
    double cost = 0.0;
    double upper_bound = 0.0;  // but for rounding
    bool optimal = true;
    std::size_t nodes = 0;  // of the exact search

    // The cheapest model to add, or the first one where models run in the order of their indices;
    // -1: none.
    std::int64_t next_model(const Query& query, bool in_order) const {
        if (added.empty()) return -1;
        std::size_t next = added.front();
        if (!in_order) {
            for (const std::size_t i : added) {
                if (query.costs[i] < query.costs[next]) next = i;
            }
        }
        return static_cast<std::int64_t>(next);
    }
};

// Whether option a wins over option b, both within the tolerance of the best: by cost, then by the
// number of models, then by the lexicographic order of their indices. Equal options do not win.
struct TieKey {
    double cost;
    const std::vector<std::size_t>& models;  // ascending
};
inline bool wins_tie(const TieKey& a, const TieKey& b, Ties ties) {
    if (a.cost != b.cost) return (a.cost < b.cost) == (ties == Ties::kCheapest);
    if (a.models.size() != b.models.size()) return a.models.size() < b.models.size();
    return a.models < b.models;
}

// Picks among few options listed in turn, each of which adds one model or, where `stops`, none.
class Shortlist {
public:
    struct Option {
        double value;  // what is compared
        double quality;
        double cost;
        std::vector<std::size_t> added;
    };

    void clear() { size_ = 0; }

    Option& add(double value, double quality, double cost) {
        if (size_ == options_.size()) options_.emplace_back();
        Option& option = options_[size_++];
        option.value = value;
        option.quality = quality;
        option.cost = cost;
        option.added.clear();
        return option;
    }

    // At least one option must have been added.
    void decide(Ties ties, Decision& decision) const {
        double best = -std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < size_; ++i) {
            if (options_[i].value > best) best = options_[i].value;
        }
        const Option* chosen = nullptr;
        for (std::size_t i = 0; i < size_; ++i) {
            const Option& option = options_[i];
            if (!(option.value >= best - kTieTolerance)) continue;
            if (chosen == nullptr ||
                wins_tie({option.cost, option.added}, {chosen->cost, chosen->added}, ties)) {
                chosen = &option;
            }
        }
        decision.added = chosen->added;
        decision.quality = chosen->quality;
        decision.cost = chosen->cost;
        decision.upper_bound = best;
        decision.optimal = true;
    }

private:
    std::vector<Option> options_;
    std::size_t size_ = 0;
};

}  // namespace headrace
