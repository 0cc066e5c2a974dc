#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "bits.hpp"
#include "headrace/router.hpp"
#include "number_text.hpp"
#include "router_state.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check_numbers(const char* what, std::span<const double> given, std::size_t due) {
    if (given.size() != due) {
        throw std::invalid_argument(std::string(what) + " must be " + std::to_string(due) +
                                    " numbers, got " + std::to_string(given.size()));
    }
    for (std::size_t i = 0; i < due; ++i) {
        if (std::abs(given[i]) <= kLargestMagnitude) continue;
        throw std::invalid_argument(std::string(what) + " " + broken_rule(given[i]) + " at index " +
                                    std::to_string(i));
    }
}

// The highest estimate of what has run, the first of equals by position; of a threshold cascade the
// last that ran.
std::size_t best_of(const Workspace& workspace, const Policy& policy) {
    const auto better = [&](std::size_t a, std::size_t b) {
        const double gain = workspace.qualities[a] - workspace.qualities[b];
        const bool before = policy.position[a] < policy.position[b];
        return policy.by_threshold ? !before : gain > 0.0 || (gain == 0.0 && before);
    };
    std::size_t best = workspace.ran.empty() ? 0 : workspace.ran.front();
    for (const std::size_t i : workspace.ran) {
        if (better(i, best)) best = i;
    }
    return best;
}

// The classical cascade: on while the last estimate is below the threshold.
Choice compared(const Policy& policy, const Workspace& workspace, bool dearer) {
    const std::size_t step = workspace.ran.size();
    const double last = step == 0 ? -kInfinity : workspace.qualities[workspace.order[step - 1]];
    const bool goes_on =
        step == 0 || (last < policy.price(dearer, step) && step < policy.max_models);
    Choice choice;
    if (goes_on) choice.next_model = static_cast<std::int64_t>(step);
    choice.tradeoff = choice.quality = last;
    choice.upper_bound = kInfinity;
    choice.optimal = false;
    return choice;
}

}  // namespace

Session::Session(std::shared_ptr<const Router> router)
    : router_(std::move(router)),
      kept_(router_->state().estimator().n_kept()),
      sets_(2 * bits::words(router_->n_models())),
      supermodel_(router_->n_models()) {
    path_.reserve(std::min(supermodel_.size(), router_->state().policy().max_models));
}

bool Session::has(const std::uint64_t* set, std::size_t model) const {
    return model < supermodel_.size() && bits::holds(set, model);
}

void Session::check_model(std::size_t model) const {
    if (stage_ == Stage::kNew) throw SessionError("the session has not begun: call start first");
    if (model >= supermodel_.size()) {
        throw SessionError("there is no model " + std::to_string(model) + " among " +
                           std::to_string(supermodel_.size()));
    }
}

void Session::start(const Start& query) {
    const Estimator& estimator = router_->state().estimator();
    check_numbers("features", query.features, router_->n_features());
    const auto n_rows = static_cast<std::int64_t>(estimator.n_rows());
    if (n_rows > 0 && (query.row < 0 || query.row >= n_rows)) {
        throw std::invalid_argument("the query comes from row " + std::to_string(query.row) +
                                    " of its log, and there are estimates of " +
                                    std::to_string(n_rows) + " rows");
    }
    if (!query.surcharge.empty()) {
        check_numbers("surcharge", query.surcharge, router_->n_models());
        const auto negative = [](double extra) { return extra < 0.0; };
        if (std::any_of(query.surcharge.begin(), query.surcharge.end(), negative)) {
            throw std::invalid_argument("surcharge must not be negative");
        }
    }
    surcharge_.assign(query.surcharge.begin(), query.surcharge.end());
    group_ = estimator.number_of(query.group);
    row_ = query.row;
    dearer_ = query.dearer;
    estimator.start(query.features, {group_, row_, kept_.data()});
    std::fill(sets_.begin(), sets_.end(), std::uint64_t{0});
    path_.clear();
    n_excluded_ = 0;
    stage_ = Stage::kOpen;
}

std::int64_t Session::next_model(const std::function<bool()>& poll) {
    if (stage_ == Stage::kNew) throw SessionError("the session has not begun: call start first");
    if (stage_ == Stage::kDecided) return choice_.next_model;
    const RouterState& state = router_->state();
    const Policy& policy = state.policy();
    std::unique_ptr<Workspace> workspace = state.workspace(ran_bits(), excluded_bits(), n_open());
    const RunSetFacts* facts = estimate(*workspace);
    const std::size_t best = best_of(*workspace, policy);

    Choice choice;
    const bool* chosen = nullptr;  // by position
    if (n_open() == 0) {
        choice.tradeoff = choice.upper_bound = choice.quality = -kInfinity;
    } else if (path_.size() == n_open()) {
        choice.quality = workspace->qualities[best];
        choice.tradeoff = choice.upper_bound = choice.quality;
    } else if (policy.by_threshold) {
        choice = compared(policy, *workspace, dearer_);
    } else {
        const Selection& found = workspace->decide(facts, group_, dearer_, poll);
        choice = {*found.next_model,  *found.tradeoff, *found.quality, *found.cost,
                  *found.upper_bound, *found.optimal,  *found.nodes};
        chosen = found.supermodel;
    }
    std::fill(supermodel_.begin(), supermodel_.end(), std::uint8_t{0});
    for (const std::size_t i : path_) supermodel_[i] = 1;
    if (chosen != nullptr) {
        const std::size_t* order = workspace->order.data();
        for (std::size_t p = 0, n = n_open(); p < n; ++p) {
            supermodel_[order[p]] = static_cast<std::uint8_t>(chosen[p]);
        }
    }
    if (choice.next_model != kStop) {
        const std::size_t next = workspace->order[static_cast<std::size_t>(choice.next_model)];
        supermodel_[next] = 1;
        choice.next_model = static_cast<std::int64_t>(next);
    }
    state.give_back(std::move(workspace));
    choice_ = choice;
    best_ = best;
    stage_ = Stage::kDecided;
    return choice_.next_model;
}

void Session::observe(std::size_t model, std::span<const double> signals) {
    check_model(model);
    if (has_run(model)) throw SessionError(named(model) + " has been observed already");
    refuse_over();
    if (stage_ != Stage::kDecided || choice_.next_model != static_cast<std::int64_t>(model)) {
        throw SessionError(named(model) + " was not asked for");
    }
    check_numbers("signals", signals, router_->n_signals());
    router_->state().estimator().observe(known(), model, signals);
    bits::add(sets_.data(), model);
    path_.push_back(model);
    stage_ = Stage::kOpen;
}

void Session::exclude(std::size_t model) {
    check_model(model);
    if (has_run(model)) throw SessionError(named(model) + " has run, so it cannot be excluded");
    if (is_excluded(model)) throw SessionError(named(model) + " is excluded already");
    refuse_over();
    bits::add(sets_.data() + sets_.size() / 2, model);
    ++n_excluded_;
    stage_ = Stage::kOpen;
}

std::size_t Session::answer() const {
    if (stage_ == Stage::kNew || path_.empty()) {
        throw SessionError("no model has run, so there is no answer to give");
    }
    if (path_.size() == 1) return path_.front();
    if (stage_ == Stage::kDecided) return best_;
    const RouterState& state = router_->state();
    if (state.policy().by_threshold) return path_.back();
    std::unique_ptr<Workspace> workspace = state.workspace(ran_bits(), excluded_bits(), n_open());
    estimate(*workspace);
    const std::size_t best = best_of(*workspace, state.policy());
    state.give_back(std::move(workspace));
    return best;
}

const Choice& Session::choice() const {
    if (stage_ != Stage::kDecided)
        throw SessionError("nothing is decided yet: ask next_model first");
    return choice_;
}

std::span<const std::uint8_t> Session::supermodel() const {
    choice();
    return supermodel_;
}

void Session::estimates(std::span<double> qualities, std::span<double> costs,
                        std::span<double> deviations) const {
    if (stage_ == Stage::kNew) throw SessionError("the session has not begun: call start first");
    const std::size_t k = supermodel_.size();
    if (qualities.size() != k || costs.size() != k || deviations.size() != k) {
        throw std::invalid_argument("estimates need room for " + std::to_string(k) +
                                    " numbers each");
    }
    const RouterState& state = router_->state();
    std::unique_ptr<Workspace> workspace = state.workspace(ran_bits(), excluded_bits(), n_open());
    estimate(*workspace);
    std::copy_n(workspace->qualities.begin(), k, qualities.begin());
    std::copy_n(workspace->costs.begin(), k, costs.begin());
    std::copy_n(workspace->deviations.begin(), k, deviations.begin());
    state.give_back(std::move(workspace));
}

void Session::refuse_over() const {
    if (stage_ == Stage::kDecided && choice_.next_model == kStop) {
        throw SessionError("the session is over: start another");
    }
}

// The estimator's own numbers change with what is observed alone.
Known Session::known() const {
    return {group_, row_, const_cast<double*>(kept_.data())};
}

const RunSetFacts* Session::estimate(Workspace& workspace) const {
    const RunSetFacts* facts = router_->state().estimate(known(), sets_, workspace);
    for (std::size_t i = 0; i < surcharge_.size(); ++i) workspace.costs[i] += surcharge_[i];
    return facts;
}

std::string Session::named(std::size_t model) const {
    return "model " + std::to_string(model) + " ('" + router_->models()[model] + "')";
}

}  // namespace headrace
