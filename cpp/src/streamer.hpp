// Strategies that decide a row from its estimates alone, as fast as they come from memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "headrace/headrace.hpp"

namespace headrace {

// Decides rows of one problem, on one thread; keeps its memory between them.
class Streamer {
public:
    Streamer() = default;
    Streamer(const Streamer&) = delete;
    Streamer& operator=(const Streamer&) = delete;
    virtual ~Streamer() = default;

    // Checks the values of the rows' own arrays, too; those that serve all queries are good.
    virtual void decide_rows(std::size_t begin, std::size_t end) = 0;
};

// What is decided for a row: one model more, or to stop.
struct OneMore {
    static constexpr std::size_t kStop = std::numeric_limits<std::size_t>::max();

    std::size_t model = kStop;
    double quality = 0.0;
    double cost = 0.0;

    // Whether this wins over another option that ties with it: wins_tie() for options like these.
    bool wins_over(const OneMore& other, Ties ties) const {
        if (cost != other.cost) return (cost < other.cost) == (ties == Ties::kCheapest);
        if (model == kStop || other.model == kStop) return model == kStop;  // fewest models
        return model < other.model;
    }
};

inline void write(const OneMore& chosen, const Problem& problem, std::size_t row,
                  double upper_bound, const Selection& selection) {
    const std::size_t k = problem.n_models;
    bool* supermodel = selection.supermodel + row * k;
    if (problem.ran) {
        std::copy_n(problem.ran[row], k, supermodel);
    } else {
        std::memset(supermodel, 0, k);
    }
    const bool stops = chosen.model == OneMore::kStop;
    if (!stops) supermodel[chosen.model] = true;
    selection.next_model[row] = stops ? -1 : static_cast<std::int64_t>(chosen.model);
    selection.quality[row] = chosen.quality;
    selection.cost[row] = chosen.cost;
    selection.tradeoff[row] = chosen.quality - *problem.lambda[row] * chosen.cost;
    selection.upper_bound[row] = upper_bound;
    selection.optimal[row] = true;
    selection.nodes[row] = 0;
}

}  // namespace headrace
