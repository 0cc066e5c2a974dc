// Whole rollouts: decide, run the model, update the estimates, until every query stops; for many
// queries at many prices.
//
// A state is a query with the set of models that have run on it. Rollouts at many prices share
// their work: a state is asked for once, and it is decided only at as many prices as it takes to
// prove the others. Tradeoffs are linear in the price, so a supermodel that is best at two prices
// is best at every price in between (up to the tolerance of ties).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "headrace/headrace.hpp"

namespace headrace {

// What is expected of m queries on which the same models have run; arrays as in a problem.
struct Forecast {
    Rows<double> qualities;  // (m, k)
    Rows<double> costs;      // (m, k)
    Rows<double> sigmas;     // (m, k); optional
    Rows<double> factor;     // (1, k * k), shared by the queries; optional
    Reveals reveals;         // optional; nodes are the same in every forecast
};

class HEADRACE_API Forecaster {
public:
    Forecaster() = default;
    Forecaster(const Forecaster&) = delete;
    Forecaster& operator=(const Forecaster&) = delete;
    virtual ~Forecaster() = default;

    // Of these queries (ascending) when just these models (ascending) have run. Called on the
    // thread that calls roll_out, once for each set of models at each step; the arrays are read
    // before the next call. What is optional is given always or never. May throw.
    virtual Forecast forecast(const std::vector<std::size_t>& ran,
                              const std::vector<std::size_t>& queries) = 0;
};

struct RolloutProblem {
    std::size_t n_queries = 0;
    std::size_t n_models = 0;   // 1 to kMaxModels
    std::size_t n_samples = 1;  // 1 without samples
    std::size_t n_prices = 0;   // L
    std::size_t n_steps = 1;    // T: the last price serves all later steps

    const double* prices =
        nullptr;  // (L, T) lambda at each step; thresholds of a threshold cascade
    const double* samples = nullptr;  // (k, S), for forecasts with sigmas, a factor or reveals

    // A strategy of a problem; or "threshold_cascade", the classical baseline: run the models in
    // the order of their indices while the estimate of the last answer is below a threshold, and
    // give the last answer.
    std::string_view strategy = "cascade_routing";
    std::string_view search = "exact";
    std::size_t max_models = kMaxModels;  // most models that run on a query, >= 1
    Ties ties = Ties::kCheapest;
};

struct Rollouts {
    std::size_t n_steps = 0;            // most models that ran on a query: T below
    std::size_t n_bytes = 0;            // w: (k + 7) / 8
    std::vector<std::int64_t> paths;    // (L, n, T) models in the order in which they ran, then -1
    std::vector<std::int64_t> answers;  // (L, n) the model with the highest estimate of those that
                                        // ran, the first of equals
    std::vector<std::uint8_t> plans;  // (L, n, T + 1, w) supermodel of each decision, as bits, the
                                      // first model highest; zeros where none was taken
    std::vector<std::int64_t> decisions;  // (L, n) how many were taken
    std::vector<std::int64_t> estimates;  // (L, n) how many states were asked for
};

// The rollouts do not depend on the execution. Throws as batch_select does, and what the forecaster
// throws.
HEADRACE_API Rollouts roll_out(const RolloutProblem& problem, Forecaster& forecaster,
                               const Execution& execution);

}  // namespace headrace
