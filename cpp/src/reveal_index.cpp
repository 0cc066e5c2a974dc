// Index policy where beliefs change by reveals: the reservation values solve the same equation, and
// so does its convex, piecewise linear left side: the highest root of its pieces is its own.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "registry.hpp"
#include "reveal_draws.hpp"
#include "values.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestChance = 1e-300;
constexpr double kLargestPrice = 1e100;  // beyond it no look is worth its price
constexpr double kRounding = 1e-14;      // of a reservation value, relative to belief and price

class RevealIndex final : public Streamer {
public:
    RevealIndex(const Problem& problem, const Selection& selection)
        : problem_(problem), selection_(selection), values_(problem.n_models) {}

    void decide_rows(std::size_t begin, std::size_t end) override {
        for (std::size_t row = begin; row < end; ++row) {
            check_row_values(problem_, row);
            decide(row);
        }
    }

private:
    // The nodes of one model for one query.
    struct Nodes {
        const double* right;
        const double* wrong;
        double belief;

        double gain(std::size_t t) const { return belief * right[t]; }
        double chance(std::size_t t) const {
            return std::max(gain(t) + (1.0 - belief) * wrong[t], kSmallestChance);
        }
    };

    void decide(std::size_t row) {
        const std::size_t k = problem_.n_models;
        const bool* ran = problem_.ran ? problem_.ran[row] : nullptr;
        const double* quality = problem_.qualities[row];
        const double* cost = problem_.costs[row];
        const double lambda = *problem_.lambda[row];
        const auto has_run = [&](std::size_t i) { return ran != nullptr && ran[i]; };

        double revealed = -kInfinity;
        double best = -kInfinity;
        double dearest = 0.0;
        std::size_t last = 0;
        for (std::size_t i = 0; i < k; ++i) {
            if (!has_run(i)) continue;
            revealed = std::max(revealed, quality[i]);
            last = i;
        }
        const bool began = revealed > -kInfinity;
        best = revealed;
        for (std::size_t i = 0; i < k; ++i) {
            values_[i] = -kInfinity;
            if (has_run(i) || (problem_.fixed_order && began && i < last)) continue;
            const double price = lambda * cost[i];
            values_[i] = reservation_value(nodes(row, i), price);
            best = std::max(best, values_[i]);
            dearest = std::max(dearest, price);
        }

        OneMore chosen;
        bool found = revealed >= best - kTieTolerance;
        if (found) chosen = {OneMore::kStop, revealed, 0.0};
        for (std::size_t i = 0; i < k; ++i) {
            if (!(values_[i] >= best - kTieTolerance)) continue;
            const OneMore option{i, quality[i], cost[i]};
            if (!found || option.wins_over(chosen, problem_.ties)) chosen = option;
            found = true;
        }
        if (began && chosen.model != OneMore::kStop) {
            chosen.quality = revealed + excess(nodes(row, chosen.model), revealed);
        }
        write(chosen, problem_, row, best + kRounding * (1.0 + dearest), selection_);
    }

    Nodes nodes(std::size_t row, std::size_t model) const {
        const Reveals& reveals = problem_.reveals;
        const std::size_t first = first_node(problem_, row, model);
        return {reveals.right + first, reveals.wrong + first, problem_.qualities[row][model]};
    }

    double reservation_value(const Nodes& nodes, double price) const {
        const double scale = problem_.reveals.scale;
        if (scale == 0.0 || !(price / scale <= kLargestPrice)) return nodes.belief - price;
        const double look = price / scale;
        double best = -kInfinity;
        for (std::size_t t = 0; t < problem_.reveals.n_nodes; ++t) {
            best = std::max(best, (nodes.gain(t) - look) / nodes.chance(t));
        }
        return nodes.belief + scale * (best - nodes.belief);
    }

    // Expected excess of the belief after the run over a level.
    double excess(const Nodes& nodes, double level) const {
        const double scale = problem_.reveals.scale;
        if (scale == 0.0) return std::max(nodes.belief - level, 0.0);
        const double inner = nodes.belief + (level - nodes.belief) / scale;
        double best = 0.0;
        for (std::size_t t = 0; t < problem_.reveals.n_nodes; ++t) {
            best = std::max(best, nodes.gain(t) - inner * nodes.chance(t));
        }
        return scale * best;
    }

    const Problem& problem_;
    const Selection& selection_;
    std::vector<double> values_;  // reservation values of the models that may run
};

}  // namespace

std::unique_ptr<Streamer> make_reveal_index(const Problem& problem, const Selection& selection) {
    return std::make_unique<RevealIndex>(problem, selection);
}

}  // namespace headrace
