// What signals say of whether an answer is right: log-likelihood ratios, which add to the log-odds.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "saved_state.hpp"

namespace headrace {

class LogRatios {
public:
    LogRatios() = default;
    LogRatios(const LogRatios&) = delete;
    LogRatios& operator=(const LogRatios&) = delete;
    virtual ~LogRatios() = default;

    // Of what is known of one model's answer.
    virtual double of(std::size_t group, std::size_t model,
                      std::span<const double> values) const = 0;
};

// Takes the ratios of a kind saved below a name: of so many groups, models, and values of each.
std::unique_ptr<const LogRatios> take_log_ratios(SavedState& saved, const std::string& kind,
                                                 const std::string& name, std::size_t n_groups,
                                                 std::size_t n_models, std::size_t n_values);

}  // namespace headrace
