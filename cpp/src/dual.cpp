#include "dual.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostSteps = 20;
constexpr double kCloseEnough = 1e-3;  // of a price: near its level the bound is flat

// The level at which the samples pay a price, or the highest where they cannot pay that much. What
// they pay is piecewise linear in it: Newton's steps, kept within a bracket.
double common_level(const double* best, const double* second, std::size_t count, double price) {
    if (count == 0) return 0.0;
    const auto [lowest, highest] = std::minmax_element(best, best + count);
    const double each = price / static_cast<double>(count);
    double low = *lowest - each;
    double high = *highest;
    double level = high - each;
    for (int step = 0; step < kMostSteps && low < high; ++step) {
        const auto [paid, payers] = kernels::pay(best, second, level, count);
        if (std::abs(paid - price) <= kCloseEnough * price) break;
        (paid > price ? low : high) = level;
        const double newton = payers > 0.0 ? level + (paid - price) / payers : high;
        level = newton > low && newton < high ? newton : 0.5 * (low + high);
    }
    return level;
}

}  // namespace

void DualBound::set(double base, const std::vector<double>& gains, std::size_t slots,
                    bool needs_one) {
    base_ = base;
    needs_one_ = needs_one;
    highest_ = second_ = -kInfinity;
    entry_ = next_ = 0.0;
    n_paying_ = 0;
    double paying = 0.0;  // added by themselves: they may be small beside the base
    for (const double gain : gains) {
        second_ = std::max(second_, std::min(gain, highest_));
        highest_ = std::max(highest_, gain);
        if (gain > 0.0) {
            ++n_paying_;
            paying += gain;
        }
    }
    if (n_paying_ >= slots) {
        paying_.clear();
        for (const double gain : gains) {
            if (gain > 0.0) paying_.push_back(gain);
        }
        const auto last = paying_.begin() + static_cast<std::ptrdiff_t>(slots - 1);
        std::nth_element(paying_.begin(), last, paying_.end(), std::greater<>());
        entry_ = *last;
        paying = 0.0;
        for (auto gain = paying_.begin(); gain <= last; ++gain) paying += *gain;
        if (n_paying_ > slots) next_ = *std::max_element(last + 1, paying_.end());
    } else if (n_paying_ == 0 && needs_one) {
        paying = highest_;
    }
    total_ = base + paying;
}

double DualBound::with(double gain) const {
    if (n_paying_ == 0 && needs_one_) return base_ + gain;
    return gain < entry_ || gain < 0.0 ? total_ + (gain - entry_) : total_;
}

double DualBound::without(double gain) const {
    if (!counts(gain)) return total_;
    if (needs_one_ && n_paying_ <= 1) return base_ + second_;
    return total_ - gain + next_;
}

void SlackLevels::make(const BestTwo& set, const std::vector<double>& prices, std::size_t n_samples,
                       Doubles& level) {
    const Doubles& best = set.best();
    const Doubles& second = set.second();
    level = best;
    samples_.resize(n_samples);
    best_.resize(n_samples);
    second_.resize(n_samples);
    first_.assign(set.size() + 1, 0);
    for (std::size_t s = 0; s < n_samples; ++s) {
        if (set.is_owned(s)) ++first_[set.owner(s) + 1];
    }
    for (std::size_t place = 0; place < set.size(); ++place) first_[place + 1] += first_[place];
    for (std::size_t s = 0; s < n_samples; ++s) {
        if (set.is_owned(s)) samples_[first_[set.owner(s)]++] = s;
    }
    for (std::size_t i = 0; i < first_.back(); ++i) {
        best_[i] = best[samples_[i]];
        second_[i] = second[samples_[i]];
    }
    std::size_t begin = 0;  // filling has moved each first_ to the end of its place
    for (std::size_t place = 0; place < set.size(); ++place) {
        const std::size_t end = first_[place];
        const double price = prices[place] * static_cast<double>(n_samples);
        const double to =
            common_level(best_.data() + begin, second_.data() + begin, end - begin, price);
        for (std::size_t i = begin; i < end; ++i) {
            level[samples_[i]] = std::max(second_[i], std::min(best_[i], to));
        }
        begin = end;
    }
}

}  // namespace headrace
