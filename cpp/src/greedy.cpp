// Greedy search (the paper's variant): what has run, or one model more.
#include <algorithm>
#include <functional>

#include "kernels.hpp"
#include "registry.hpp"

namespace headrace {

namespace {

class Greedy final : public Decider {
public:
    void decide(const Query& query, Decision& decision, Control&) override {
        options_.clear();
        ran_.resize(query.length);
        query.best_of_ran(ran_.data());
        if (!query.ran.empty()) {
            const double quality = query.mean(ran_.data());
            options_.add(quality, quality, 0.0);
        }
        if (query.max_new > 0) {
            for (const std::size_t i : query.candidates) {
                best_.assign(query.draws(i), query.draws(i) + query.length);
                if (!query.ran.empty()) kernels::raise(best_.data(), ran_.data(), query.length);
                const double quality = query.mean(best_.data());
                const double cost = query.costs[i];
                options_.add(quality - query.lambda * cost, quality, cost).added.push_back(i);
            }
        }
        options_.decide(query.problem.ties, decision);

        const double tradeoff = decision.quality - query.lambda * decision.cost;
        decision.upper_bound = bound(query, decision);
        decision.optimal =
            decision.upper_bound - tradeoff <= kTieTolerance + query.rounding_allowance();
    }

private:
    // Bounds every supermodel's tradeoff: with v the best draws of the chosen set, E[max over M]
    // is at most mean(v) and the sum over the models added of mean((x - v)+), the dual of facility
    // location (Erlenkotter, 1978).
    double bound(const Query& query, const Decision& decision) {
        best_ = ran_;
        if (query.ran.empty()) {
            const double* only = query.draws(decision.added.front());
            best_.assign(only, only + query.length);
        } else if (!decision.added.empty()) {
            kernels::raise(best_.data(), query.draws(decision.added.front()), query.length);
        }
        gains_.clear();
        for (const std::size_t i : query.candidates) {
            gains_.push_back(query.excess(query.draws(i), best_.data()) -
                             query.lambda * query.costs[i]);
        }
        std::sort(gains_.begin(), gains_.end(), std::greater<>());
        double total = query.mean(best_.data());
        for (std::size_t slot = 0; slot < query.max_new && gains_[slot] > 0.0; ++slot) {
            total += gains_[slot];
        }
        return total;
    }

    Shortlist options_;
    std::vector<double> ran_;   // best draws of what has run
    std::vector<double> best_;  // best draws of one option
    std::vector<double> gains_;
};

}  // namespace

std::unique_ptr<Decider> make_greedy() {
    return std::make_unique<Greedy>();
}

}  // namespace headrace
