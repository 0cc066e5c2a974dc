#include "values.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "kernels.hpp"
#include "number_text.hpp"
#include "require.hpp"
#include "reveal_draws.hpp"

namespace headrace {

namespace {

constexpr std::size_t kRowsBetweenLooks = 256;

enum class Sign : bool { kAny, kNotNegative };

[[noreturn]] void refuse(const char* name, const double* values, double low, std::size_t row) {
    std::size_t i = 0;
    while (values[i] >= low && values[i] <= kLargestMagnitude) ++i;
    throw std::invalid_argument(std::string(name) + " " + broken_rule(values[i]) + " in row " +
                                std::to_string(row) + ", column " + std::to_string(i));
}

void check(const char* name, const double* values, std::size_t count, Sign sign, std::size_t row) {
    const double low = sign == Sign::kAny ? -kLargestMagnitude : 0.0;
    if (!kernels::within(values, count, low, kLargestMagnitude)) refuse(name, values, low, row);
}

// The arrays that serve all queries, or those that do not.
void check_arrays(const Problem& p, bool shared, std::size_t row) {
    const auto mine = [&](const auto& rows) { return rows && (rows.stride == 0) == shared; };
    const std::size_t k = p.n_models;
    if (mine(p.qualities)) check("qualities", p.qualities[row], k, Sign::kAny, row);
    if (mine(p.costs)) check("costs", p.costs[row], k, Sign::kNotNegative, row);
    if (mine(p.lambda)) check("lambda", p.lambda[row], 1, Sign::kNotNegative, row);
    if (mine(p.sigmas)) check("sigmas", p.sigmas[row], k, Sign::kNotNegative, row);
    if (mine(p.factor)) check("factor", p.factor[row], k * k, Sign::kAny, row);
    if (mine(p.ran)) {
        const bool* ran = p.ran[row];
        if (std::all_of(ran, ran + k, [](bool r) { return r; })) {
            throw std::invalid_argument("all models of a query have run, in row " +
                                        std::to_string(row));
        }
    }
}

void check_revealed_row(const Problem& p, std::size_t row) {
    const std::int64_t group = *p.reveals.group[row];
    if (group < 0 || static_cast<std::size_t>(group) >= p.reveals.n_groups) {
        throw std::invalid_argument("the group of row " + std::to_string(row) +
                                    " is not one of the reveals");
    }
    if (!kernels::within(p.qualities[row], p.n_models, -kChanceRounding, 1.0 + kChanceRounding)) {
        throw std::invalid_argument("with reveals, qualities must be in 0 to 1, in row " +
                                    std::to_string(row));
    }
}

}  // namespace

void check_reveals(const Problem& p) {
    const Reveals& reveals = p.reveals;
    if (!reveals) return;
    require(reveals.right != nullptr && reveals.wrong != nullptr && reveals.group,
            "reveals need the chances of their nodes and a group for each query");
    require(!p.sigmas && !p.factor, "reveals exclude sigmas and factor");
    require(reveals.scale >= 0.0 && reveals.scale <= kLargestMagnitude,
            "the scale of reveals must be finite and not negative");
    const std::size_t each = product(p.n_models, reveals.n_nodes);
    product(reveals.n_groups, each);
    for (const double* chances : {reveals.right, reveals.wrong}) {
        require(are_chances(chances, reveals.n_groups * p.n_models, reveals.n_nodes),
                "the chances of reveals must rise from node to node, up to 1");
    }
}

void check_sizes(std::size_t n_models, std::size_t n_samples) {
    require(n_models >= 1 && n_models <= kMaxModels, "n_models must be 1 to 4096");
    require(n_samples >= 1, "n_samples must be at least 1");
    product(n_samples, kLanes);
    product(n_models, n_samples);
    product(n_models, padded_length(n_samples));
}

void check_samples(const double* samples, std::size_t n_models, std::size_t n_samples) {
    for (std::size_t i = 0; i < n_models; ++i) {
        check("samples", samples + i * n_samples, n_samples, Sign::kAny, i);
    }
}

void check_shared_values(const Problem& problem) {
    check_arrays(problem, true, 0);
    if (problem.samples == nullptr || problem.sample_matrix != nullptr) return;
    check_samples(problem.samples, problem.n_models, problem.n_samples);
}

void check_row_values(const Problem& problem, std::size_t row) {
    check_arrays(problem, false, row);
    if (problem.reveals) check_revealed_row(problem, row);
}

void check_all_values(const Problem& problem, Control& control) {
    check_shared_values(problem);
    for (std::size_t row = 0; row < problem.n_queries; ++row) {
        if (row % kRowsBetweenLooks == 0) control.check();
        check_row_values(problem, row);
    }
}

}  // namespace headrace
