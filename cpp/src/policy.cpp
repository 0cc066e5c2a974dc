#include "policy.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "registry.hpp"
#include "reveal_draws.hpp"

namespace headrace {

namespace {

constexpr std::string_view kThresholdCascade = "threshold_cascade";
constexpr std::string_view kRouting = "routing";
constexpr std::string_view kIndex = "index";
constexpr std::int64_t kMostSamples = std::int64_t{1} << 16;
constexpr std::size_t kLargestWidth = std::size_t{1} << 24;  // of features, and of signals

void require_state(bool holds, const char* rule) {
    if (!holds) throw StateError(rule);
}

Ties take_ties(SavedState& saved, const std::string& name) {
    const std::string ties = saved.text(name);
    require_state(ties == "cheapest" || ties == "dearest", "ties must be known");
    return ties == "dearest" ? Ties::kDearest : Ties::kCheapest;
}

Point take_point(SavedState& saved, const std::string& name) {
    require_state(saved.text(name) == "Point", "a mixture must be of two points");
    const double price = saved.number(name + ".price");
    require_state(std::abs(price) <= kLargestMagnitude, "prices must be finite");
    return {price, take_ties(saved, name + ".ties")};
}

void take_parameters(SavedState& saved, Policy& policy) {
    policy.strategy = saved.text("router.strategy");
    policy.search = saved.text("router.search");
    policy.by_threshold = policy.strategy == kThresholdCascade;
    try {
        find_method(policy.by_threshold ? kRouting : std::string_view(policy.strategy),
                    policy.search);
    } catch (const std::invalid_argument& error) {
        throw StateError(error.what());
    }
    if (policy.strategy == kRouting) policy.max_models = 1;
    const json::Value depth = saved.parameter("router.max_depth");
    if (depth.get_if<std::nullptr_t>() == nullptr) {
        const auto* most = depth.get_if<std::int64_t>();
        require_state(most != nullptr && *most >= 1, "max_depth must be an integer, at least 1");
        require_state(policy.strategy != kIndex,
                      "strategy 'index' must not be combined with max_depth");
        policy.max_models = std::min(policy.max_models, static_cast<std::size_t>(*most));
    }
    // What the fit looked at alone, and what is for batches.
    for (const char* name : {"lookahead", "lambda_", "per_step", "seed", "n_threads", "backend"}) {
        saved.drop_parameter(std::string("router.") + name);
    }
}

void take_fit(SavedState& saved, Policy& policy, std::size_t n_models) {
    require_state(saved.text("fit.mixture") == "Mixture", "fit.mixture must be a mixture");
    policy.cheap = take_point(saved, "fit.mixture.cheap");
    policy.dear = take_point(saved, "fit.mixture.dear");
    policy.gamma = saved.number("fit.mixture.gamma");
    require_state(policy.gamma >= 0.0 && policy.gamma <= 1.0, "gamma must be between 0 and 1");
    policy.lookahead = saved.number("fit.lookahead");
    require_state(policy.lookahead >= 0.0 && policy.lookahead <= kLargestMagnitude,
                  "lookahead must be a finite factor, not negative");
    policy.models = saved.different_texts("fit.models");
    require_state(policy.models.size() == n_models, "the models must be those of the estimator");
    policy.n_features = saved.count("fit.n_features");
    policy.n_signals = saved.count("fit.n_signals");
    require_state(std::max(policy.n_features, policy.n_signals) <= kLargestWidth,
                  "n_features and n_signals must be 0 to 16777216");
    Size steps("t");
    policy.step_factors = saved.doubles("fit.step_factors", {&steps});
    require_state(!policy.step_factors.empty(), "a step must have a factor");
    Size k("k", policy.models.size());
    std::vector<bool> there(n_models, false);
    for (const std::int64_t model : saved.integers("fit.order", {&k})) {
        const bool is_new = model >= 0 && static_cast<std::size_t>(model) < n_models &&
                            !there[static_cast<std::size_t>(model)];
        require_state(is_new, "order must be a permutation");
        there[static_cast<std::size_t>(model)] = true;
        policy.order.push_back(static_cast<std::size_t>(model));
    }
    policy.position.resize(k.value());
    for (std::size_t p = 0; p < k.value(); ++p) policy.position[policy.order[p]] = p;
}

void take_seconds(SavedState& saved, Policy& policy) {
    const std::optional<std::string> kind = saved.text_or_none("fit.seconds");
    if (!kind) return;
    require_state(*kind == "ExpectedSeconds" && saved.text("fit.seconds.groups") == "Groups",
                  "fit.seconds must be ExpectedSeconds of Groups");
    Policy::Seconds seconds{Groups(saved, "fit.seconds.groups.labels"), {}};
    Size groups("g + 1", seconds.groups.size() + 1);
    Size k("k", policy.models.size());
    std::vector<double> means = saved.doubles("fit.seconds.means", {&groups, &k});
    require_state(std::all_of(means.begin(), means.end(),
                              [](double x) { return std::isfinite(x) && x >= 0.0; }),
                  "seconds must be finite, not negative");
    seconds.means = {groups.value(), k.value(), std::move(means)};
    policy.seconds = std::move(seconds);
}

void check_prices(const Policy& policy) {
    for (const double factor : policy.step_factors) {
        require_state(factor >= 0.0 && factor <= kLargestMagnitude,
                      "factors must be finite, not negative");
    }
    for (const bool dearer : {false, true}) {
        for (std::size_t step = 0; step < policy.step_factors.size(); ++step) {
            const double price = policy.price(dearer, step);
            require_state(
                std::abs(price) <= kLargestMagnitude && (policy.by_threshold || price >= 0.0),
                "prices must be finite and not negative");
        }
    }
}

Ahead ahead_of(const Policy& policy, const Estimator& estimator) {
    const bool looks = !policy.by_threshold && policy.strategy != kRouting;
    if (!looks || policy.lookahead == 0.0) return Ahead::kNothing;
    if (estimator.reveals() != nullptr) return Ahead::kReveals;
    switch (estimator.uncertainty()) {
        case Uncertainty::kNone:
            return Ahead::kNothing;
        case Uncertainty::kDeviations:
            return Ahead::kDeviations;
        case Uncertainty::kCovariance:
            break;
    }
    return policy.strategy == kIndex ? Ahead::kDeviations : Ahead::kCovariance;
}

void take_samples(SavedState& saved, Policy& policy) {
    const std::int64_t n = saved.integer("router.n_samples");
    const bool drawn = policy.ahead != Ahead::kNothing && policy.strategy != kIndex;
    const bool good = n >= 1 && n <= kMostSamples && (n & (n - 1)) == 0;
    require_state(good || policy.by_threshold, "n_samples must be a power of two up to 65536");
    constexpr const char* kSamples = "policy.samples";
    if (!drawn && !saved.has_array(kSamples)) return;
    require_state(good && saved.has_array(kSamples),
                  "the draws that it decides by are not there: save it again");
    Size k("k", policy.models.size());
    Size each("n_samples", static_cast<std::size_t>(n));
    std::vector<double> samples = saved.doubles(kSamples, {&k, &each});
    require_state(std::all_of(samples.begin(), samples.end(),
                              [](double x) { return std::abs(x) <= kLargestMagnitude; }),
                  "draws must be finite");
    if (!drawn) return;
    policy.samples = std::move(samples);
    policy.n_samples = each.value();
    if (policy.ahead == Ahead::kReveals) {
        policy.falling = falling_order(policy.samples.data(), k.value(), policy.n_samples);
    }
}

}  // namespace

Policy take_policy(SavedState& saved, const Estimator& estimator) {
    Policy policy;
    take_parameters(saved, policy);
    take_fit(saved, policy, estimator.n_models());
    take_seconds(saved, policy);
    check_prices(policy);
    if (const auto inputs = estimator.inputs()) {
        require_state(
            policy.n_features == inputs->n_features && policy.n_signals == inputs->n_signals,
            "features and signals must be those of the estimator");
    }
    if (const RevealTables* reveals = estimator.reveals()) {
        for (const auto* chances : {&reveals->right, &reveals->wrong}) {
            require_state(
                are_chances(chances->data(), chances->size() / reveals->n_nodes, reveals->n_nodes),
                "the chances of reveals must rise from node to node, up to 1");
        }
    }
    policy.ahead = ahead_of(policy, estimator);
    take_samples(saved, policy);
    return policy;
}

}  // namespace headrace
