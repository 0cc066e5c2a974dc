// Cascade: what has run, or a prefix of the models that contains it.
#include <algorithm>

#include "kernels.hpp"
#include "registry.hpp"

namespace headrace {

namespace {

class Cascade final : public Decider {
public:
    bool in_order() const override { return true; }

    void decide(const Query& query, Decision& decision, Control&) override {
        options_.clear();
        best_.resize(query.length);
        query.best_of_ran(best_.data());
        missing_.clear();
        std::size_t n_ran = 0;
        bool empty = query.ran.empty();
        if (!empty) {
            const double quality = query.mean(best_.data());
            options_.add(quality, quality, 0.0);
        }
        const std::size_t most = std::min(query.problem.n_models, query.problem.max_models);
        for (std::size_t i = 0; i < most; ++i) {
            if (n_ran < query.ran.size() && query.ran[n_ran] == i) {
                ++n_ran;
            } else {
                include(query, i, empty);
                missing_.push_back(i);
            }
            if (n_ran < query.ran.size() || missing_.empty()) continue;
            const double quality = query.mean(best_.data());
            sorted_ = missing_;
            const double cost = query.cost(sorted_);
            options_.add(quality - query.lambda * cost, quality, cost).added = missing_;
        }
        options_.decide(query.problem.ties, decision);
    }

private:
    void include(const Query& query, std::size_t model, bool& empty) {
        if (empty) {
            std::copy_n(query.draws(model), query.length, best_.begin());
        } else {
            kernels::raise(best_.data(), query.draws(model), query.length);
        }
        empty = false;
    }

    Shortlist options_;
    std::vector<double> best_;          // best draws so far
    std::vector<std::size_t> missing_;  // of the prefix, yet to run
    std::vector<std::size_t> sorted_;
};

}  // namespace

std::unique_ptr<Decider> make_cascade() {
    return std::make_unique<Cascade>();
}

}  // namespace headrace
