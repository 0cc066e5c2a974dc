#include "estimator.hpp"

#include <string>
#include <string_view>

namespace headrace {

namespace {

struct Row {
    std::string_view name;
    std::unique_ptr<const Estimator> (*take)(SavedState&);
};

constexpr Row kEstimators[] = {
    {"BinaryEstimator", take_binary_estimator},
    {"GaussianEstimator", take_gaussian_estimator},
    {"NoisyEstimator", take_noisy_estimator},
    {"PrecomputedEstimator", take_precomputed_estimator},
};

}  // namespace

std::unique_ptr<const Estimator> take_estimator(SavedState& saved) {
    if (saved.has_value("own estimator")) {
        throw StateError("its estimator is a " + saved.text("own estimator") +
                         " of your own, which runs only where it was written");
    }
    const std::string name = saved.text("estimator");
    for (const Row& row : kEstimators) {
        if (row.name == name) return row.take(saved);
    }
    throw StateError("its estimator is unknown: '" + name + "'");
}

}  // namespace headrace
