// Routing: one model, by its estimate alone; once a model has run, stop.
#include <algorithm>
#include <cmath>

#include "aligned.hpp"
#include "kernels.hpp"
#include "registry.hpp"
#include "values.hpp"

namespace headrace {

namespace {

class Routing final : public Streamer {
public:
    Routing(const Problem& problem, const Selection& selection)
        : problem_(problem),
          selection_(selection),
          ignores_((problem.sigmas && problem.sigmas.stride != 0) ||
                   (problem.factor && problem.factor.stride != 0)),
          values_(padded_models(problem.n_models)) {}

    void decide_rows(std::size_t begin, std::size_t end) override {
        for (std::size_t row = begin; row < end; ++row) {
            if (ignores_) check_row_values(problem_, row);
            if (problem_.ran && stop(row)) continue;
            route(row);
        }
    }

private:
    // Whether a model has run: then the answer is the best of those.
    bool stop(std::size_t row) {
        const std::size_t k = problem_.n_models;
        const bool* ran = problem_.ran[row];
        if (std::find(ran, ran + k, true) == ran + k) return false;
        check_row_values(problem_, row);
        const double* quality = problem_.qualities[row];
        double best = -std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < k; ++i) {
            if (ran[i] && quality[i] > best) best = quality[i];
        }
        write({OneMore::kStop, best, 0.0}, problem_, row, best, selection_);
        return true;
    }

    void route(std::size_t row) {
        const std::size_t k = problem_.n_models;
        const double* quality = problem_.qualities[row];
        const double* cost = problem_.costs[row];
        const double lambda = *problem_.lambda[row];
        const kernels::RoutedRow found = kernels::route(quality, cost, lambda, k, values_.data());
        if (!good(found, lambda)) check_row_values(problem_, row);

        const double level = found.best - kTieTolerance;
        OneMore chosen = option(kernels::first_at_least(values_.data(), 0, k, level), row);
        for (std::size_t i = chosen.model + 1;; ++i) {
            i = kernels::first_at_least(values_.data(), i, k, level);
            if (i >= k) break;
            const OneMore other = option(i, row);
            if (other.wins_over(chosen, problem_.ties)) chosen = other;
        }
        write(chosen, problem_, row, found.best + rounding_allowance(found), selection_);
    }

    // The values of the row, read for the decision anyway.
    static bool good(const kernels::RoutedRow& found, double lambda) {
        return !std::isnan(found.poison) && found.largest_quality <= kLargestMagnitude &&
               found.lowest_cost >= 0.0 && found.highest_cost <= kLargestMagnitude &&
               lambda >= 0.0 && lambda <= kLargestMagnitude;
    }

    OneMore option(std::size_t model, std::size_t row) const {
        return {model, problem_.qualities[row][model], problem_.costs[row][model]};
    }

    // The rounding of a value v = q - p is at most half a unit of p and of v, and p = q - v: no
    // value exceeds the best by more than this, for the larger |v| below it, the farther below.
    static double rounding_allowance(const kernels::RoutedRow& found) {
        constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
        return 2.0 * kEpsilon * (found.largest_quality + std::abs(found.best));
    }

    const Problem& problem_;
    const Selection& selection_;
    const bool ignores_;  // arrays of the rows' own, whose values are checked all the same
    Doubles values_;
};

}  // namespace

std::unique_ptr<Streamer> make_routing(const Problem& problem, const Selection& selection) {
    return std::make_unique<Routing>(problem, selection);
}

}  // namespace headrace
