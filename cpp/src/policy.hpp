// How a fitted router decides: its strategy and options, its prices, and the order of its models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "estimator.hpp"
#include "groups.hpp"
#include "headrace/problem.hpp"
#include "saved_state.hpp"

namespace headrace {

// A price, or a threshold, and which of tied choices is taken.
struct Point {
    double price = 0.0;
    Ties ties = Ties::kCheapest;
};

// What decisions look ahead with.
enum class Ahead : std::uint8_t { kNothing, kDeviations, kCovariance, kReveals };

struct Policy {
    std::string strategy;
    std::string search;
    bool by_threshold = false;  // the classical cascade: thresholds in place of prices
    std::size_t max_models = kMaxModels;
    Ahead ahead = Ahead::kNothing;
    double lookahead = 1.0;  // factor on the uncertainty

    Point cheap, dear;
    double gamma = 1.0;
    std::vector<double> step_factors;  // on the price, the last one for all later steps

    std::vector<std::size_t> order;     // the model at each position
    std::vector<std::size_t> position;  // of each model
    std::vector<std::string> models;
    std::size_t n_features = 0;
    std::size_t n_signals = 0;

    // Standardised draws by position, (k, n_samples), where ahead is by draws.
    std::vector<double> samples;
    std::size_t n_samples = 1;
    std::vector<std::uint32_t> falling;  // the order of the draws, for reveals

    // Seconds that an answer is expected to take; none where they are not known.
    struct Seconds {
        Groups groups;
        Matrix means;  // (groups, with the unseen one; k)
    };
    std::optional<Seconds> seconds;

    bool uses_samples() const { return !samples.empty(); }
    const double* samples_of(std::size_t model) const {
        return samples.data() + position[model] * n_samples;
    }

    double price(bool dearer, std::size_t step) const {
        const std::size_t last = step_factors.size() - 1;
        return (dearer ? dear : cheap).price * step_factors[step < last ? step : last];
    }
};

// Takes the parameters of a router and what it has learned. Throws StateError where they do not fit
// each other or the estimator, or where no router can have learned this.
Policy take_policy(SavedState& saved, const Estimator& estimator);

}  // namespace headrace
