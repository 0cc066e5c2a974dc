#include "dual.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kBisections = 20;

}  // namespace

void DualBound::set(double base, const std::vector<double>& gains, std::size_t slots,
                    bool needs_one) {
    base_ = base;
    needs_one_ = needs_one;
    highest_ = second_ = -kInfinity;
    entry_ = next_ = 0.0;
    n_paying_ = 0;
    total_ = base;
    for (const double gain : gains) {
        second_ = std::max(second_, std::min(gain, highest_));
        highest_ = std::max(highest_, gain);
        if (gain > 0.0) {
            ++n_paying_;
            total_ += gain;
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
        total_ = base;
        for (auto gain = paying_.begin(); gain <= last; ++gain) total_ += *gain;
        if (n_paying_ > slots) next_ = *std::max_element(last + 1, paying_.end());
    } else if (n_paying_ == 0 && needs_one) {
        total_ = base + highest_;
    }
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

void SlackLevels::make(const BestTwo& set, const std::vector<double>& prices,
                       std::size_t n_samples, std::vector<double>& level) {
    const std::vector<double>& best = set.best();
    const std::vector<double>& second = set.second();
    level = best;
    first_.assign(set.size() + 1, 0);
    for (std::size_t s = 0; s < n_samples; ++s) {
        if (set.is_owned(s)) ++first_[set.owner(s) + 1];
    }
    for (std::size_t place = 0; place < set.size(); ++place) first_[place + 1] += first_[place];
    samples_.resize(n_samples);
    for (std::size_t s = 0; s < n_samples; ++s) {
        if (set.is_owned(s)) samples_[first_[set.owner(s)]++] = s;
    }
    std::size_t begin = 0;  // filling has moved each first_ to the end of its place
    for (std::size_t place = 0; place < set.size(); ++place) {
        const std::size_t end = first_[place];
        const double price = prices[place] * static_cast<double>(n_samples);
        double low = kInfinity;
        double high = -kInfinity;
        for (std::size_t i = begin; i < end; ++i) {
            low = std::min(low, best[samples_[i]]);
            high = std::max(high, best[samples_[i]]);
        }
        low -= price / static_cast<double>(end - begin);
        const auto lowered = [&](std::size_t s, double to) {
            return std::max(second[s], std::min(best[s], to));
        };
        for (int step = 0; step < kBisections && low < high; ++step) {
            const double middle = 0.5 * (low + high);
            double payment = 0.0;
            for (std::size_t i = begin; i < end; ++i) {
                payment += best[samples_[i]] - lowered(samples_[i], middle);
            }
            (payment > price ? low : high) = middle;
        }
        for (std::size_t i = begin; i < end; ++i) level[samples_[i]] = lowered(samples_[i], high);
        begin = end;
    }
}

}  // namespace headrace
