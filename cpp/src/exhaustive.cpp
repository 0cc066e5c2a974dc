// Exhaustive search: every supermodel, twice. Once for the best tradeoff, once for the tie's
// winner.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "kernels.hpp"
#include "registry.hpp"

namespace headrace {

namespace {

class Exhaustive final : public Decider {
public:
    void decide(const Query& query, Decision& decision, Control& control) override {
        refuse_too_many(query);
        query_ = &query;
        control_ = &control;
        decision_ = &decision;
        // Candidates from the cheapest up, so that costs are added in the order of the contract.
        order_.assign(query.candidates.begin(), query.candidates.end());
        std::sort(order_.begin(), order_.end(),
                  [&](std::size_t a, std::size_t b) { return query.costs[a] < query.costs[b]; });
        best_.resize((query.max_new + 1) * query.length);
        query.best_of_ran(best_.data());

        best_tradeoff_ = -std::numeric_limits<double>::infinity();
        settle_ties_ = false;
        visit(0, 0.0);
        settle_ties_ = true;
        found_ = false;
        visit(0, 0.0);
        decision.upper_bound = best_tradeoff_;
        decision.optimal = true;
    }

private:
    static void refuse_too_many(const Query& query) {
        const std::size_t m = query.candidates.size();
        double count = 1.0;  // supermodels, by Pascal's rule along the row
        double binomial = 1.0;
        for (std::size_t size = 1; size <= query.max_new; ++size) {
            binomial *= static_cast<double>(m - size + 1) / static_cast<double>(size);
            count += binomial;
            if (count > static_cast<double>(kMaxEnumerated) + 0.5) {
                throw std::domain_error(
                    "enumerating more than " + std::to_string(kMaxEnumerated) + " supermodels of " +
                    std::to_string(m) +
                    " candidate models would take too long: use search='exact', or a lower "
                    "max_depth");
            }
        }
    }

    // Visits the set chosen_ and all that add models of order_[from..].
    void visit(std::size_t from, double cost) {
        control_->check();
        const std::size_t depth = chosen_.size();
        double* best = best_.data() + depth * query_->length;
        if (depth > 0 || !query_->ran.empty()) evaluate(best, cost);
        if (depth == query_->max_new) return;
        for (std::size_t j = from; j < order_.size(); ++j) {
            const double* x = query_->draws(order_[j]);
            double* next = best + query_->length;
            if (depth == 0 && query_->ran.empty()) {
                std::copy_n(x, query_->length, next);
            } else {
                std::copy_n(best, query_->length, next);
                kernels::raise(next, x, query_->length);
            }
            chosen_.push_back(order_[j]);
            visit(j + 1, cost + query_->costs[order_[j]]);
            chosen_.pop_back();
        }
    }

    void evaluate(const double* best, double cost) {
        const double quality = query_->mean(best);
        const double tradeoff = quality - query_->lambda * cost;
        if (!settle_ties_) {
            best_tradeoff_ = std::max(best_tradeoff_, tradeoff);
            return;
        }
        if (!(tradeoff >= best_tradeoff_ - kTieTolerance)) return;
        sorted_ = chosen_;
        std::sort(sorted_.begin(), sorted_.end());
        if (found_ &&
            !wins_tie({cost, sorted_}, {decision_->cost, decision_->added}, query_->problem.ties)) {
            return;
        }
        found_ = true;
        decision_->added = sorted_;
        decision_->quality = quality;
        decision_->cost = cost;
    }

    const Query* query_ = nullptr;
    Control* control_ = nullptr;
    Decision* decision_ = nullptr;
    std::vector<std::size_t> order_;
    std::vector<std::size_t> chosen_;
    std::vector<std::size_t> sorted_;
    std::vector<double> best_;  // best draws of each prefix of chosen_
    double best_tradeoff_ = 0.0;
    bool settle_ties_ = false;
    bool found_ = false;
};

}  // namespace

std::unique_ptr<Decider> make_exhaustive() {
    return std::make_unique<Exhaustive>();
}

}  // namespace headrace
