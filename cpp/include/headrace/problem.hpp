// The problem: arrays of estimates for a batch of queries, and what may be done.
//
// Shapes are written with n queries, k models and S samples. Rows are queries and contiguous.
// Nothing is owned; the caller keeps the arrays alive and unchanged during a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "headrace/sample_matrix.hpp"

namespace headrace {

// Rows of an array. A stride of zero lets one row serve all queries; `at`, if there is one, says
// which row serves each.
template <class T>
struct Rows {
    const T* data = nullptr;
    std::size_t stride = 0;  // elements from one row to the next
    const std::size_t* at = nullptr;

    const T* operator[](std::size_t row) const {
        return data + (at == nullptr ? row : at[row]) * stride;
    }
    explicit operator bool() const { return data != nullptr; }
};

// Among tradeoffs within kTieTolerance of the best: the cost that wins.
enum class Ties : std::uint8_t { kCheapest, kDearest };

inline constexpr double kTieTolerance = 1e-9;

// Most supermodels that an enumerating search visits for one query.
inline constexpr std::size_t kMaxEnumerated = std::size_t{1} << 20;

inline constexpr std::size_t kMaxModels = 4096;

// Larger magnitudes could overflow a sum.
inline constexpr double kLargestMagnitude = 1e100;

// How the probability that an answer is right changes when its model runs. The run shows one of T
// nodes, the most telling first. Of an answer that is right with probability q, the nodes up to t
// show with probability q right_t + (1 - q) wrong_t, and it is then right, and they show, with
// probability q right_t: what is expected of the probability after the run is q. Qualities are
// probabilities then, and the chances rise from node to node, up to 1.
struct Reveals {
    std::size_t n_nodes = 0;  // T; 0: none of this
    std::size_t n_groups = 0;
    const double* right = nullptr;  // (n_groups, k, T) summed over the nodes up to each, 0 to 1
    const double* wrong = nullptr;  // (n_groups, k, T)
    Rows<std::int64_t> group;       // (n, 1) in 0 to n_groups - 1
    double scale = 1.0;             // factor on the change, 0 or more

    explicit operator bool() const { return n_nodes != 0; }
};

struct Problem {
    std::size_t n_queries = 0;
    std::size_t n_models = 0;   // 1 to kMaxModels
    std::size_t n_samples = 1;  // 1 where nothing is uncertain

    // All numbers are finite and at most kLargestMagnitude in magnitude.
    Rows<double> qualities;           // (n, k)
    Rows<double> costs;               // (n, k), >= 0
    Rows<double> lambda;              // (n, 1), >= 0: quality for one unit of cost
    Rows<double> sigmas;              // (n, k) standard deviations >= 0; optional
    Rows<double> factor;              // (n, k * k) lower Cholesky factors of covariances; optional,
                                      // not for index
    Rows<bool> ran;                   // (n, k) models already run, not all of a row; optional
    const double* samples = nullptr;  // (k, S) standardised draws, one row per model; needed where
                                      // a cascade or cascade routing has sigmas, a factor, reveals
    const SampleMatrix* sample_matrix = nullptr;  // in place of samples and n_samples; optional
    Reveals reveals;                              // in place of sigmas; optional

    std::string_view strategy = "cascade_routing";
    std::string_view search = "exact";
    std::size_t max_models = kMaxModels;  // most models in a supermodel, >= 1; not for index
    bool fixed_order = false;  // only models after the last one run are candidates; not for index
    Ties ties = Ties::kCheapest;

    std::size_t node_limit = 0;  // of the exact search of one query; 0: none
    double time_limit = 0.0;     // seconds, of the exact search of one query; 0: none
};

}  // namespace headrace
