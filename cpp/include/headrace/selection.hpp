// The answer: one element, or one row of k, for each of the n queries. Written, never read.
#pragma once

#include <cstdint>

namespace headrace {

struct Selection {
    std::int64_t* next_model = nullptr;  // (n,) -1: stop and answer with what has run
    bool* supermodel = nullptr;          // (n, k) the chosen set, with all models already run
    double* tradeoff = nullptr;          // (n,) quality - lambda * cost
    double* quality = nullptr;           // (n,) expected quality of the best answer of the set
    double* cost = nullptr;              // (n,) still to be paid: models already run are sunk
    double* upper_bound = nullptr;       // (n,) no admissible choice has a higher tradeoff
    bool* optimal = nullptr;             // (n,) whether the choice is proven
    std::int64_t* nodes = nullptr;       // (n,) nodes that the exact search bounded; else 0
};

}  // namespace headrace
