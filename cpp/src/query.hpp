// One row of the problem, with the draws of its models' qualities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "aligned.hpp"
#include "control.hpp"
#include "headrace/problem.hpp"
#include "pace.hpp"
#include "samples.hpp"

namespace headrace {

// The draws that a strategy asks for: model by model when it wants them; or all, made ahead.
enum class Draws : std::uint8_t { kOnDemand, kAll };

class Query {
public:
    Query(const Problem& problem, const Samples& samples);
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    void load(std::size_t row, Draws draws, Control& control);

    // Sets another price for the row that is loaded.
    void set_lambda(double price);

    const Problem& problem;
    std::size_t length = 0;  // padded number of samples

    const double* qualities = nullptr;
    const double* costs = nullptr;
    const double* sigmas = nullptr;  // null: nothing is uncertain
    double lambda = 0.0;
    std::vector<std::size_t> ran;             // ascending
    std::span<const std::size_t> candidates;  // ascending: may run next
    std::size_t max_new = 0;                  // most models that may be added

    // Makes the draws of one model, padded with zeros.
    void draw(std::size_t model, double* x) const;

    // What a model gains over a level less its price: the mean of (x - level)+ over its draws x,
    // which are not made.
    double gain(std::size_t model, const double* level, Pace& pace) const;

    // The gain of each candidate; where that is nothing, or the time is up, a bound of it.
    void gains(const double* level, std::vector<double>& gains, Pace& pace) const;

    // The same where all are bounds, as are gains over a level that is nowhere higher.
    void renew_gains(const double* level, std::vector<double>& gains, Pace& pace) const;

    // Draws of one model, padded with zeros; if all were made ahead.
    const double* draws(std::size_t model) const { return draws_.data() + model * length; }

    // Best draws of what has run; zeros where nothing has.
    void best_of_ran(double* best) const;

    // Expected quality whose best draws are given.
    double mean(const double* best) const;

    // Mean of (x - level)+.
    double excess(const double* x, const double* level) const;

    // Cost of models that are yet to run. Added from the cheapest up, which makes the sum
    // independent of the order of the models; reorders the list.
    double cost(std::vector<std::size_t>& models) const;

    // No draw is larger in magnitude.
    double largest() const { return largest_; }

    // Bounds the rounding error of a tradeoff, whatever the order of its additions.
    double rounding_allowance() const { return allowance_; }

    // Bounds the rounding error of a sum of costs of candidates.
    double cost_rounding() const { return cost_rounding_; }

private:
    void bound_rounding();
    double renewed(double bound, std::size_t model, const double* level, Pace& pace) const;
    double sigma(std::size_t model) const { return sigmas == nullptr ? 1.0 : sigmas[model]; }

    const Samples& samples_;
    SampleRows rows_;
    double largest_ = 0.0;
    double allowance_ = 0.0;
    double cost_rounding_ = 0.0;
    OwnRows own_rows_;                  // of a covariance of the query's own, or of reveals
    Doubles draws_;                     // (k, length)
    mutable Doubles scratch_;           // draws of one model
    mutable std::vector<double> most_;  // that each model may gain
    std::vector<std::size_t> waiting_;  // room for the candidates
};

}  // namespace headrace
