// A fitted router that was saved, and sessions: one query each, decided run by run.
//
//     const auto router = headrace::Router::load("mine.headrace");
//     headrace::Session session(router);
//     session.start({.features = features});
//     for (std::int64_t i; (i = session.next_model()) != headrace::kStop;) {
//         const Answer& answer = answers[i] = run(router->models()[i]);
//         session.observe(i, answer.signals);
//     }
//     return answers[session.answer()];
//
// Models are the columns of the log that the router was fitted on. A router is immutable: any
// number of threads use one at a time. A session belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "headrace/export.hpp"
#include "headrace/label.hpp"

namespace headrace {

inline constexpr std::int64_t kStop = -1;

// No router can be made of a file: it was cut or damaged, was saved by a newer version, or is none
// of a router. The message names the file and the cause.
class HEADRACE_API RouterFileError : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

// A session was asked for what it does not offer in the state it is in.
class HEADRACE_API SessionError : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

class RouterState;
class Workspace;
struct Known;
struct RunSetFacts;

class HEADRACE_API Router {
public:
    // Throws RouterFileError; std::system_error if the file cannot be read.
    static std::shared_ptr<const Router> load(const std::filesystem::path& path);

    // The same for the content of a file; the name stands for it in messages.
    static std::shared_ptr<const Router> from_bytes(std::span<const unsigned char> content,
                                                    std::string_view name = "content");

    explicit Router(std::unique_ptr<const RouterState> state);
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    ~Router();

    std::size_t n_models() const { return models().size(); }
    const std::vector<std::string>& models() const;  // their names
    std::size_t n_features() const;                  // of a query
    std::size_t n_signals() const;                   // of an answer

    // Share of the queries that are to take the cheaper of two policies, so that the budget is
    // spent exactly; the rest starts as dearer.
    double gamma() const;

    // Whether groups were told apart in the fit; and whether it has seen this one. Queries of
    // unseen groups are estimated as those of no group.
    bool has_groups() const;
    bool knows(const Label& group) const;

    // Rows that there are estimates of; 0 where estimates are of any query.
    std::size_t n_rows() const;

    // Seconds that each model is expected to take on a query of this group; empty where the log
    // that was fitted on did not say.
    std::span<const double> expected_seconds(const Label& group) const;

    const RouterState& state() const { return *state_; }  // not part of the contract

private:
    std::unique_ptr<const RouterState> state_;
};

// What is known of a query before any model runs.
struct Start {
    std::span<const double> features{};  // n_features() finite numbers
    Label group{};
    bool dearer = false;   // takes the dearer of two policies
    std::int64_t row = 0;  // below n_rows(), where estimates are by row

    // Added to the expected cost of each model, for what its time is worth; n_models() finite
    // numbers, not negative, or none.
    std::span<const double> surcharge{};
};

// Why a decision is what it is; as in a Selection, but for one query.
struct Choice {
    std::int64_t next_model = kStop;
    double tradeoff = 0.0;
    double quality = 0.0;  // expected, of the best answer of the supermodel
    double cost = 0.0;     // still to be paid for it
    double upper_bound = 0.0;
    bool optimal = true;
    std::int64_t nodes = 0;
};

// One query from its start to its answer.
//
// After an exception the session is as it was before the call. Any call may throw std::bad_alloc.
//
// Nothing is allocated, from start() to answer(), once the router is warm: when as many threads as
// decide now have decided before, and where estimates come with covariances, on the same sets of
// models that have run. What is kept of such sets is bounded by 64 MiB a router; those beyond, and
// sessions with excluded models, allocate.
class HEADRACE_API Session {
public:
    explicit Session(std::shared_ptr<const Router> router);

    // Begins with a query, whatever was before. Throws std::invalid_argument for features or a
    // surcharge of another number, or that are not finite, and for a row that there is not.
    void start(const Start& query);

    // The model to run next, or kStop. Asked again before anything new is known, it says the same.
    // Throws SessionError before start(); std::invalid_argument where estimates come out that are
    // no numbers; std::domain_error where an exhaustive search would not end; Interrupted once
    // `poll` returns true, which is asked now and then in a long search.
    std::int64_t next_model(const std::function<bool()>& poll = {});

    // Tells what the model that next_model() gave was answered with: n_signals() finite numbers.
    // Throws SessionError for another model, std::invalid_argument for other signals.
    void observe(std::size_t model, std::span<const double> signals);

    // Takes out a model that has not run, because it failed or is not to be used: no supermodel has
    // it any more. Throws SessionError if it has run, is out already, or the session is over.
    void exclude(std::size_t model);

    // The model whose answer to give: the one with the highest estimate of those that have run.
    // Throws SessionError if none has, and std::invalid_argument as next_model() does.
    std::size_t answer() const;

    // ---- why ----

    const Router& router() const { return *router_; }
    bool has_run(std::size_t model) const { return has(ran_bits(), model); }
    bool is_excluded(std::size_t model) const { return has(excluded_bits(), model); }

    // In the order in which they ran.
    std::span<const std::size_t> path() const { return path_; }

    // Of the last decision, which must be one on what is known now; the supermodel has a truth for
    // each model. Throw SessionError if it is not.
    const Choice& choice() const;
    std::span<const std::uint8_t> supermodel() const;

    // Writes what is expected now of each model, n_models() numbers each: its quality, its cost
    // (with the surcharge), and the standard deviation of the change of quality that its run will
    // bring. Throws SessionError before start(), std::invalid_argument as next_model() does or for
    // other sizes.
    void estimates(std::span<double> qualities, std::span<double> costs,
                   std::span<double> deviations) const;

private:
    enum class Stage : std::uint8_t { kNew, kOpen, kDecided };

    const std::uint64_t* ran_bits() const { return sets_.data(); }
    const std::uint64_t* excluded_bits() const { return sets_.data() + sets_.size() / 2; }
    std::size_t n_open() const { return supermodel_.size() - n_excluded_; }
    bool has(const std::uint64_t* set, std::size_t model) const;
    void check_model(std::size_t model) const;
    std::string named(std::size_t model) const;
    void refuse_over() const;
    Known known() const;
    const RunSetFacts* estimate(Workspace& workspace) const;

    std::shared_ptr<const Router> router_;
    std::vector<double> kept_;  // the estimator's numbers of this query
    std::vector<double> surcharge_;
    std::size_t group_ = 0;
    std::int64_t row_ = 0;
    std::vector<std::uint64_t> sets_;  // bits of the models that have run; then of those excluded
    std::vector<std::size_t> path_;
    std::vector<std::uint8_t> supermodel_;
    std::size_t n_excluded_ = 0;
    Choice choice_;
    std::size_t best_ = 0;  // of what had run at the decision
    Stage stage_ = Stage::kNew;
    bool dearer_ = false;
};

}  // namespace headrace
