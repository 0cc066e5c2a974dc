// The dual bound of facility location (Erlenkotter, 1978). On common samples the best supermodel is
// an uncapacitated facility location: models are facilities with opening costs, their prices
// lambda c_i; samples are clients. For any level w_s per sample,
//
//     mean(w) + sum over the (at most `slots`) largest of [mean((x_i - w)+) - price_i]+
//
// bounds the tradeoff of every set of models; where some are included already, w_s must not be
// below their best draw.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "best_two.hpp"

namespace headrace {

// The bound from its parts: `base` = mean(w) less what is paid already, and the reduced gains
// mean((x_i - w)+) - price_i of the free models.
class DualBound {
public:
    // `needs_one`: the empty set of free models is no choice. At least one gain, one slot.
    void set(double base, const std::vector<double>& gains, std::size_t slots, bool needs_one);

    double total() const { return total_; }

    // Bounds of the sets that contain, or do not contain, one of the models, by its gain.
    double with(double gain) const {
        if (n_paying_ == 0 && needs_one_) return base_ + gain;
        return gain < entry_ || gain < 0.0 ? total_ + (gain - entry_) : total_;
    }
    double without(double gain) const {
        if (!counts(gain)) return total_;
        if (needs_one_ && n_paying_ <= 1) return base_ + second_;
        return total_ - gain + next_;
    }

    // Whether the bound counts a model of this gain.
    bool counts(double gain) const {
        return gain > 0.0 ? gain >= entry_ : n_paying_ == 0 && needs_one_ && gain == highest_;
    }

private:
    double base_ = 0.0;
    double total_ = 0.0;
    double entry_ = 0.0;    // least gain that finds a slot
    double next_ = 0.0;     // gain that takes a slot which falls free
    double highest_ = 0.0;  // of all gains, paying or not
    double second_ = 0.0;
    std::size_t n_paying_ = 0;
    bool needs_one_ = false;
    std::vector<double> paying_;
};

// Levels by complementary slackness: each model of a set is paid for exactly by the samples that it
// serves, all lowered to a common level but not below their second best.
class SlackLevels {
public:
    // `prices` by the places of the set. Writes (length,) levels, padded with zeros. `lowest` is
    // below every draw.
    void make(const BestTwo& set, const std::vector<double>& prices, std::size_t n_samples,
              double lowest, Doubles& level);

    // The same for a set of one, where nothing has run: of its draws, without the padding.
    static void make_alone(std::span<const double> draws, double price, double lowest,
                           double* level);

private:
    void sort_by_owner(const BestTwo& set);

    std::vector<std::size_t> ends_;     // of each owner's samples
    std::vector<std::size_t> samples_;  // by owner
    std::vector<std::size_t> places_;   // in samples_, of each owner and stream
    Doubles best_, second_;             // of these samples
};

}  // namespace headrace
