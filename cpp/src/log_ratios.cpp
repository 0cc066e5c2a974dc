#include "log_ratios.hpp"

#include <algorithm>

#include "calibration.hpp"
#include "group_ridge.hpp"

namespace headrace {

namespace {

constexpr double kLargestLogRatio = 12.0;

// Signals that are normal around a line in quality.
class NormalRatios final : public LogRatios {
public:
    NormalRatios(SavedState& saved, const std::string& name, Size& n_groups, Size& n_models,
                 Size& n_features)
        : noise_(saved, name + ".noise_", n_groups, n_features, n_models),
          variance_(saved.doubles(name + ".variance_", {&n_models})),
          slope_(saved.doubles(name + ".slope_", {&n_models})) {}

    double of(std::size_t group, std::size_t model, std::span<const double> values) const override {
        const double left = values.front() - noise_.mean(group, model);
        const double slope = slope_[model];
        const double ratio = slope * (left - 0.5 * slope) / variance_[model];
        return std::clamp(ratio, -kLargestLogRatio, kLargestLogRatio);
    }

private:
    GroupRidge noise_;
    std::vector<double> variance_, slope_;
};

// Signals by logistic regression.
class LogisticRatios final : public LogRatios {
public:
    LogisticRatios(SavedState& saved, const std::string& name, Size& n_groups, Size& n_models,
                   Size& n_values)
        : calibration_(saved, name + ".calibration_", n_groups, n_models, n_values),
          base_(n_groups.value(), n_models.value(),
                saved.doubles(name + ".base_", {&n_groups, &n_models})) {}

    double of(std::size_t group, std::size_t model, std::span<const double> values) const override {
        const double ratio = calibration_.score(group, model, values) - base_[group][model];
        return std::clamp(ratio, -kLargestLogRatio, kLargestLogRatio);
    }

private:
    Calibration calibration_;
    Matrix base_;  // (groups, models)
};

void expect(SavedState& saved, const std::string& name, const char* kind) {
    if (saved.text(name) != kind) throw StateError("'" + name + "' must be " + kind);
}

}  // namespace

std::unique_ptr<const LogRatios> take_log_ratios(SavedState& saved, const std::string& kind,
                                                 const std::string& name, std::size_t n_groups,
                                                 std::size_t n_models, std::size_t n_values) {
    Size groups("g + 1", n_groups);
    Size models("k", n_models);
    Size values("m", n_values);
    if (kind == "NormalRatios" && n_values == 1) {
        expect(saved, name + ".noise_", "GroupRidge");
        Size features("d", 0);
        return std::make_unique<NormalRatios>(saved, name, groups, models, features);
    }
    if (kind == "LogisticRatios") {
        expect(saved, name + ".calibration_", "Calibration");
        return std::make_unique<LogisticRatios>(saved, name, groups, models, values);
    }
    throw StateError("'" + name + "' must be NormalRatios of one value, or LogisticRatios, got '" +
                     kind + "'");
}

}  // namespace headrace
