#include "query.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.hpp"

namespace headrace {

Query::Query(const Problem& p, const Samples& samples)
    : problem(p),
      length(padded_length(p.n_samples)),
      samples_(samples),
      scratch_(length),
      most_(p.n_models),
      waiting_(p.n_models) {}

void Query::load(std::size_t row, Draws draws, Control& control) {
    const std::size_t k = problem.n_models;
    qualities = problem.qualities[row];
    costs = problem.costs[row];
    sigmas = problem.sigmas ? problem.sigmas[row] : nullptr;

    ran.clear();
    std::size_t n_candidates = 0;
    const bool* has_run = problem.ran ? problem.ran[row] : nullptr;
    for (std::size_t i = 0; i < k; ++i) {
        if (has_run != nullptr && has_run[i]) {
            ran.push_back(i);
            if (problem.fixed_order) n_candidates = 0;
        } else {
            waiting_[n_candidates++] = i;
        }
    }
    candidates = {waiting_.data(), n_candidates};
    const std::size_t room = problem.max_models > ran.size() ? problem.max_models - ran.size() : 0;
    max_new = std::min(room, candidates.size());

    rows_ = samples_.rows(row, own_rows_, control);
    set_lambda(*problem.lambda[row]);
    if (draws != Draws::kAll) return;
    draws_.resize(k * length);
    for (std::size_t i = 0; i < k; ++i) draw(i, draws_.data() + i * length);
}

void Query::set_lambda(double price) {
    lambda = price;
    bound_rounding();
}

void Query::draw(std::size_t model, double* x) const {
    if (sigma(model) == 0.0) {  // it is certain, as what has run may be
        std::fill_n(x, problem.n_samples, qualities[model]);
    } else {
        kernels::draw(x, qualities[model], sigma(model), rows_[model], problem.n_samples);
    }
    std::fill(x + problem.n_samples, x + length, 0.0);
}

double Query::gain(std::size_t model, const double* level, Pace& pace) const {
    const double excess = kernels::drawn_excess(qualities[model], sigma(model), rows_[model], level,
                                                problem.n_samples) /
                          static_cast<double>(problem.n_samples);
    pace.work(length);
    return excess - lambda * costs[model];
}

// The draws of models that moments rule out are not looked at.
void Query::gains(const double* level, std::vector<double>& gains, Pace& pace) const {
    const RowFacts& facts = *rows_.facts;
    kernels::bound_gains({qualities, costs, sigmas, facts.means(), facts.deviations()},
                         moments_of(level, problem.n_samples), lambda, allowance_, most_.size(),
                         most_.data());
    const std::size_t n = candidates.size();
    gains.resize(n);
    for (std::size_t c = 0; c < n; ++c) {
        const std::size_t i = candidates[c];
        gains[c] = renewed(most_[i], i, level, pace);
    }
}

void Query::renew_gains(const double* level, std::vector<double>& gains, Pace& pace) const {
    const std::size_t n = gains.size();
    for (std::size_t c = 0; c < n; ++c) gains[c] = renewed(gains[c], candidates[c], level, pace);
}

// A gain in place of a bound that says little.
double Query::renewed(double bound, std::size_t model, const double* level, Pace& pace) const {
    return bound > 0.0 && !pace.late() ? gain(model, level, pace) : bound;
}

void Query::best_of_ran(double* best) const {
    if (ran.empty()) {
        std::fill_n(best, length, 0.0);
        return;
    }
    draw(ran.front(), best);
    for (std::size_t r = 1; r < ran.size(); ++r) {
        draw(ran[r], scratch_.data());
        kernels::raise(best, scratch_.data(), length);
    }
}

double Query::mean(const double* best) const {
    return kernels::sum(best, length) / static_cast<double>(problem.n_samples);
}

double Query::excess(const double* x, const double* level) const {
    const std::uint32_t only = 0;
    double sum = 0.0;
    kernels::excess(x, length, &only, 1, level, length, &sum);
    return sum / static_cast<double>(problem.n_samples);
}

double Query::cost(std::vector<std::size_t>& models) const {
    std::sort(models.begin(), models.end(),
              [this](std::size_t a, std::size_t b) { return costs[a] < costs[b]; });
    double total = 0.0;
    for (const std::size_t i : models) total += costs[i];
    return total;
}

// Means add in eight lanes; what a bound adds to them is no larger than the spread of the draws and
// the prices. Twice the first-order bound of either.
void Query::bound_rounding() {
    const auto [lowest, highest] =
        kernels::reach(qualities, sigmas, rows_.facts->largest(), problem.n_models);
    largest_ = std::max(std::abs(lowest), std::abs(highest));
    double paid = 0.0;
    for (const std::size_t i : candidates) paid += costs[i];

    constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
    const auto in_a_mean = static_cast<double>(length / kLanes + 16);
    const auto in_a_sum = static_cast<double>(problem.n_models + 16);
    allowance_ =
        2.0 * kEpsilon *
        (in_a_mean * largest_ + (in_a_mean + in_a_sum) * (highest - lowest + lambda * paid));
    cost_rounding_ = 2.0 * kEpsilon * in_a_sum * paid;
}

}  // namespace headrace
