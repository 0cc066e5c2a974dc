// Routing: one model, by its estimate alone; once a model has run, stop.
#include <algorithm>

#include "registry.hpp"

namespace headrace {

namespace {

class Routing final : public Decider {
public:
    Draws draws() const override { return Draws::kNone; }

    void decide(const Query& query, Decision& decision, Control&) override {
        options_.clear();
        if (!query.ran.empty()) {
            double best = query.qualities[query.ran.front()];
            for (const std::size_t i : query.ran) best = std::max(best, query.qualities[i]);
            options_.add(best, best, 0.0);
        } else {
            for (const std::size_t i : query.candidates) {
                const double quality = query.qualities[i];
                const double cost = query.costs[i];
                options_.add(quality - query.lambda * cost, quality, cost).added.push_back(i);
            }
        }
        options_.decide(query.problem.ties, decision);
    }

private:
    Shortlist options_;
};

}  // namespace

std::unique_ptr<Decider> make_routing() {
    return std::make_unique<Routing>();
}

}  // namespace headrace
