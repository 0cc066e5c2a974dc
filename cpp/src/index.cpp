// Index policy: run the highest reservation value until the best revealed quality exceeds them all.
#include <algorithm>
#include <cmath>
#include <limits>

#include "registry.hpp"
#include "reservation.hpp"

namespace headrace {

namespace {

class Index final : public Decider {
public:
    Draws draws() const override { return Draws::kNone; }

    void decide(const Query& query, Decision& decision, Control&) override {
        options_.clear();
        double best = -std::numeric_limits<double>::infinity();
        for (const std::size_t i : query.ran) best = std::max(best, query.qualities[i]);
        if (!query.ran.empty()) options_.add(best, best, 0.0);
        double highest = best;
        for (const std::size_t i : query.candidates) {
            const double sigma = query.sigmas == nullptr ? 0.0 : query.sigmas[i];
            const double cost = query.costs[i];
            const double price = query.lambda * cost;
            double quality = query.qualities[i];
            if (below(quality, sigma, price, highest)) continue;
            const double value = reservation_value(quality, sigma, price);
            highest = std::max(highest, value);
            if (!query.ran.empty()) quality = best + expected_excess(quality, sigma, best);
            options_.add(value, quality, cost).added.push_back(i);
        }
        options_.decide(query.problem.ties, decision);
    }

private:
    // Whether the reservation value is surely below what ties with the highest so far: one forward
    // evaluation instead of an inverse.
    static bool below(double quality, double sigma, double price, double highest) {
        constexpr double kMargin = 1e-9;  // relative, far above the rounding of either side
        const double level = highest - 2.0 * kTieTolerance - kMargin * std::abs(highest);
        if (sigma == 0.0) return quality - price < level;
        return expected_excess(quality, sigma, level) < (1.0 - kMargin) * price;
    }

    Shortlist options_;
};

}  // namespace

std::unique_ptr<Decider> make_index() {
    return std::make_unique<Index>();
}

}  // namespace headrace
