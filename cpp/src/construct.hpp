// Good sets without a proof: where an exact search starts.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "best_two.hpp"
#include "pace.hpp"
#include "pool.hpp"
#include "query.hpp"

namespace headrace {

class Construction {
public:
    // The candidate of the highest expected quality less its price, the first of equals.
    static std::size_t best_alone(const Query& query);

    // Adds to a set the candidate of the highest gain while there is one. `best` are the best draws
    // of what has run and of the set, `bounds` of what each candidate gains over them. Gains never
    // grow as the set does, so that old ones are bounds and only the highest is renewed (Minoux,
    // 1978).
    void greedy(const Query& query, const double* best, const std::vector<double>& bounds,
                Pace& pace, std::vector<std::size_t>& chosen);

    // Adds and swaps in models of `among`, and drops models, whatever gains most, until nothing
    // gains.
    void improve(const Query& query, const Pool& pool, const std::vector<Local>& among,
                 const double* ran, double lowest, Pace& pace, std::vector<Local>& chosen);

private:
    std::vector<std::pair<double, std::size_t>> gains_;  // heap
    Doubles best_, draws_;
    BestTwo two_;
    std::vector<Local> others_;  // that may be added: they are not chosen
    std::vector<double> added_;  // what each of them gains
    std::vector<double> kept_;   // by place: what a swap keeps of the loss
    std::vector<bool> is_chosen_;
};

}  // namespace headrace
