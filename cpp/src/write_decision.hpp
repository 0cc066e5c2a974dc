// What was decided for a row by its draws, into the selection.
#pragma once

#include <algorithm>

#include "decision.hpp"
#include "headrace/selection.hpp"
#include "query.hpp"

namespace headrace {

inline void write(const Query& query, const Decision& decision, bool in_order, std::size_t row,
                  const Selection& selection) {
    const std::size_t k = query.problem.n_models;
    bool* supermodel = selection.supermodel + row * k;
    std::fill_n(supermodel, k, false);
    for (const std::size_t i : query.ran) supermodel[i] = true;
    for (const std::size_t i : decision.added) supermodel[i] = true;
    selection.next_model[row] = decision.next_model(query, in_order);
    selection.quality[row] = decision.quality;
    selection.cost[row] = decision.cost;
    selection.tradeoff[row] = decision.quality - query.lambda * decision.cost;
    selection.upper_bound[row] = decision.upper_bound + query.rounding_allowance();
    selection.optimal[row] = decision.optimal;
    selection.nodes[row] = static_cast<std::int64_t>(decision.nodes);
}

}  // namespace headrace
