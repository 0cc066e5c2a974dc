// A fitted estimator: what is expected of every model's answer, given what is known of a query.
//
// Models are columns of the log that was fitted on. Estimators are immutable and shared; what is
// known of one query is in numbers that its session keeps for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "headrace/label.hpp"
#include "matrix.hpp"
#include "saved_state.hpp"

namespace headrace {

using Models = std::vector<std::size_t>;  // ascending

// What is known of a query.
struct Known {
    std::size_t group = 0;   // number of its group
    std::int64_t row = 0;    // in the log that it comes from, for estimates by row
    double* kept = nullptr;  // the estimator's own numbers of it
};

// What follows from the set of models that have run alone, for all queries.
struct Conditioned {
    std::vector<double> gains;       // what an estimator with covariances makes of it
    Matrix covariance;               // (k, k) of the changes that runs will bring
    std::vector<double> deviations;  // the roots of its diagonal
};

// How beliefs change by reveals: chances of the nodes, summed up to each; see Reveals.
struct RevealTables {
    std::size_t n_groups = 0;
    std::size_t n_nodes = 0;
    std::vector<double> right, wrong;  // (n_groups, k, n_nodes)
};

// How the estimates say what a run will change.
enum class Uncertainty : std::uint8_t { kNone, kDeviations, kCovariance };

class Estimator {
public:
    Estimator() = default;
    Estimator(const Estimator&) = delete;
    Estimator& operator=(const Estimator&) = delete;
    virtual ~Estimator() = default;

    virtual std::size_t n_models() const = 0;

    // How many features of a query and signals of an answer it looks at, which must be all there
    // are; none: it looks at neither, however many there are.
    struct Inputs {
        std::size_t n_features;
        std::size_t n_signals;
    };
    virtual std::optional<Inputs> inputs() const = 0;

    virtual Uncertainty uncertainty() const = 0;

    // The groups that a query may belong to are 0 to n_groups() - 1; the last is for unseen ones.
    virtual std::size_t n_groups() const { return 1; }
    virtual std::size_t number_of(const Label&) const { return 0; }

    // Rows that there are estimates of; 0: estimates are of any query.
    virtual std::size_t n_rows() const { return 0; }

    // Null where changes are told by their spread alone.
    virtual const RevealTables* reveals() const { return nullptr; }

    // How many numbers a session keeps for each query.
    virtual std::size_t n_kept() const = 0;

    // Writes the numbers to keep before any model has run.
    virtual void start(std::span<const double> features, const Known& known) const = 0;

    // Takes in what a model's answer came with.
    virtual void observe(const Known& known, std::size_t model,
                         std::span<const double> signals) const = 0;

    // Of estimators with covariances: what follows from the models that have run.
    virtual Conditioned condition(const Models&) const { return {}; }

    // Writes (k,) estimates: the qualities, the costs of running, and the deviations of the change
    // that a run will bring, 0 for what has run. `conditioned` is what condition() gave.
    virtual void estimate(const Known& known, const Models& ran, const Conditioned* conditioned,
                          double* qualities, double* costs, double* deviations) const = 0;
};

// Takes the estimator of a saved router out of it. Throws StateError for one that is unknown, or
// that is the user's own, or for parts that do not fit each other.
std::unique_ptr<const Estimator> take_estimator(SavedState& saved);

// One factory a file; each takes what is saved below "estimator".
std::unique_ptr<const Estimator> take_gaussian_estimator(SavedState& saved);
std::unique_ptr<const Estimator> take_binary_estimator(SavedState& saved);
std::unique_ptr<const Estimator> take_noisy_estimator(SavedState& saved);
std::unique_ptr<const Estimator> take_precomputed_estimator(SavedState& saved);

}  // namespace headrace
