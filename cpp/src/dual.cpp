#include "dual.hpp"

#include <algorithm>
#include <array>
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

double mean_of(const double* values, std::size_t count) {
    std::array<double, 4> sums{};
    std::size_t i = 0;
    for (; i + sums.size() <= count; i += sums.size()) {
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += values[i + c];
    }
    for (; i < count; ++i) sums[0] += values[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<double>(count);
}

// The level at which the samples pay a price, or one below all where they cannot pay that much.
// What they pay is piecewise linear in it: Newton's steps, kept within a bracket, from the level
// that is right if all pay, and none more than it has.
double common_level(const double* best, const double* second, std::size_t count, double price,
                    double lowest) {
    if (count == 0) return 0.0;
    const double each = price / static_cast<double>(count);
    double low = lowest - each;
    double high = -lowest;
    double level = mean_of(best, count) - each;
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
    double highest = -kInfinity;
    double second = -kInfinity;
    double paying = 0.0;  // added by themselves: they may be small beside the base
    std::size_t n_paying = 0;
    for (const double gain : gains) {
        second = std::max(second, std::min(gain, highest));
        highest = std::max(highest, gain);
        if (gain > 0.0) {
            ++n_paying;
            paying += gain;
        }
    }
    base_ = base;
    needs_one_ = needs_one;
    highest_ = highest;
    second_ = second;
    n_paying_ = n_paying;
    entry_ = next_ = 0.0;
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

void SlackLevels::make(const BestTwo& set, const std::vector<double>& prices, std::size_t n_samples,
                       double lowest, Doubles& level) {
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
            common_level(best_.data() + begin, second_.data() + begin, end - begin, price, lowest);
        for (std::size_t i = begin; i < end; ++i) {
            level[samples_[i]] = std::max(second_[i], std::min(best_[i], to));
        }
    }
}

void SlackLevels::make_alone(std::span<const double> draws, double price, double lowest,
                             double* level) {
    const std::size_t n_samples = draws.size();
    std::fill_n(level, n_samples, lowest);  // the second best, until it is the level
    const double to = common_level(draws.data(), level, n_samples,
                                   price * static_cast<double>(n_samples), lowest);
    for (std::size_t s = 0; s < n_samples; ++s) {
        level[s] = std::max(lowest, std::min(draws[s], to));
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
