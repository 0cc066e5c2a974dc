#include "dual.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

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
    sort_by_owner(set);
    level = set.best();
    best_.resize(level.size());
    second_.resize(level.size());
    const double* best = set.best().data();
    const double* second = set.second().data();
    for (std::size_t i = ends_[0]; i < ends_.back(); ++i) {
        best_[i] = best[samples_[i]];
        second_[i] = second[samples_[i]];
    }
    for (std::size_t place = 1; place <= set.size(); ++place) {
        const std::size_t begin = ends_[place - 1];
        const std::size_t end = ends_[place];
        const double price = prices[place - 1] * static_cast<double>(n_samples);
        const double to =
            common_level(best_.data() + begin, second_.data() + begin, end - begin, price);
        for (std::size_t i = begin; i < end; ++i) {
            level[samples_[i]] = std::max(second_[i], std::min(best_[i], to));
        }
    }
}

// A counting sort of several streams at a time, or a sample would wait until the last one is
// counted, as both may have the same owner. Streams are parts of the samples one after the other,
// so that the samples of an owner ascend.
void SlackLevels::sort_by_owner(const BestTwo& set) {
    constexpr std::size_t kStreams = 4;
    static_assert(kLanes % kStreams == 0);
    const std::size_t length = set.best().size();
    const std::size_t each = length / kStreams;
    const auto for_each_sample = [&](const auto& visit) {
        for (std::size_t i = 0; i < each; ++i) {
            for (std::size_t stream = 0; stream < kStreams; ++stream) {
                const std::size_t s = stream * each + i;
                visit(s, places_[set.owner(s) * kStreams + stream]);
            }
        }
    };
    places_.assign((set.size() + 1) * kStreams, 0);
    for_each_sample([](std::size_t, std::size_t& count) { ++count; });
    ends_.clear();
    std::size_t next = 0;
    for (std::size_t owner = 0; owner <= set.size(); ++owner) {
        for (std::size_t stream = 0; stream < kStreams; ++stream) {
            next += std::exchange(places_[owner * kStreams + stream], next);
        }
        ends_.push_back(next);
    }
    samples_.resize(length);
    for_each_sample([&](std::size_t s, std::size_t& place) { samples_[place++] = s; });
}

}  // namespace headrace
