// What a model's signals say of its answer: a regression for each model, with an intercept and
// slopes for each group.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "matrix.hpp"
#include "saved_state.hpp"

namespace headrace {

// 1 / (1 + exp(-logit)), without overflow.
inline double sigmoid(double logit) {
    return 0.5 * (1.0 + std::tanh(0.5 * logit));
}

class Calibration {
public:
    Calibration(SavedState& saved, const std::string& name, Size& n_groups, Size& n_models,
                Size& n_signals);

    // The log-odds, or the quality where the regression is linear.
    double score(std::size_t group, std::size_t model, std::span<const double> signals) const;

    // The expected quality.
    double predict(std::size_t group, std::size_t model, std::span<const double> signals) const {
        const double scored = score(group, model, signals);
        return logistic_ ? sigmoid(scored) : scored;
    }

    bool logistic() const { return logistic_; }

private:
    bool logistic_;
    Matrix centre_, scale_;  // (models, signals)
    Matrix intercepts_;      // (groups, models)
    Matrix slopes_;          // (groups * models, signals)
};

}  // namespace headrace
