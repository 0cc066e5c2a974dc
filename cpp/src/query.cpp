#include "query.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.hpp"

namespace headrace {

Query::Query(const Problem& p) : problem(p), length(padded_length(p.n_samples)) {}

void Query::load(std::size_t row, bool with_draws) {
    const std::size_t k = problem.n_models;
    qualities = problem.qualities[row];
    costs = problem.costs[row];
    lambda = *problem.lambda[row];
    sigmas = problem.sigmas ? problem.sigmas[row] : nullptr;

    ran.clear();
    candidates.clear();
    const bool* has_run = problem.ran ? problem.ran[row] : nullptr;
    for (std::size_t i = 0; i < k; ++i) {
        if (has_run != nullptr && has_run[i]) {
            ran.push_back(i);
            if (problem.fixed_order) candidates.clear();
        } else {
            candidates.push_back(i);
        }
    }
    const std::size_t room = problem.max_models > ran.size() ? problem.max_models - ran.size() : 0;
    max_new = std::min(room, candidates.size());

    with_draws_ = with_draws;
    if (with_draws) make_draws(row);
}

void Query::make_draws(std::size_t row) {
    const std::size_t k = problem.n_models;
    const std::size_t n_samples = problem.n_samples;
    draws_.resize(k * length);  // the padding is zero from the start and never written
    const double* factor = problem.factor ? problem.factor[row] : nullptr;
    for (std::size_t i = 0; i < k; ++i) {
        double* x = draws_.data() + i * length;
        if (problem.samples == nullptr) {
            x[0] = qualities[i];
        } else if (factor != nullptr) {
            std::fill_n(x, n_samples, 0.0);
            for (std::size_t j = 0; j <= i; ++j) {
                kernels::add_scaled(x, factor[i * k + j], problem.samples + j * n_samples,
                                    n_samples);
            }
            for (std::size_t s = 0; s < n_samples; ++s) x[s] = qualities[i] + x[s];
        } else {
            kernels::draw(x, qualities[i], sigmas[i], problem.samples + i * n_samples, n_samples);
        }
    }
}

void Query::best_of_ran(double* best) const {
    if (ran.empty()) {
        std::fill_n(best, length, 0.0);
        return;
    }
    std::copy_n(draws(ran.front()), length, best);
    for (const std::size_t i : ran) kernels::raise(best, draws(i), length);
}

double Query::mean(const double* best) const {
    return kernels::sum(best, length) / static_cast<double>(problem.n_samples);
}

double Query::cost(std::vector<std::size_t>& models) const {
    std::sort(models.begin(), models.end(),
              [this](std::size_t a, std::size_t b) { return costs[a] < costs[b]; });
    double total = 0.0;
    for (const std::size_t i : models) total += costs[i];
    return total;
}

double Query::rounding_allowance() const {
    double largest = 0.0;
    const std::size_t k = problem.n_models;
    const double* values = with_draws_ ? draws_.data() : qualities;
    const std::size_t count = with_draws_ ? k * length : k;
    for (std::size_t s = 0; s < count; ++s) largest = std::max(largest, std::abs(values[s]));
    double paid = 0.0;
    for (const std::size_t i : candidates) paid += costs[i];
    const auto operations = static_cast<double>(problem.n_samples + k + 8);
    return std::numeric_limits<double>::epsilon() * operations * (largest + lambda * paid);
}

}  // namespace headrace
