#include "best_two.hpp"

#include <algorithm>
#include <cstdint>

#include "kernels.hpp"

namespace headrace {

namespace {

constexpr std::size_t kFewOwners = 6;  // up to so many, a pass for each is faster

}  // namespace

void BestTwo::start(const Query& query, const double* ran, double lowest) {
    n_samples_ = query.problem.n_samples;
    size_ = 0;
    second_.assign(query.length, lowest);
    owner_.assign(query.length, 0.0);
    best_.resize(query.length);
    if (ran != nullptr) {
        std::copy_n(ran, query.length, best_.begin());
    } else {
        std::fill_n(best_.begin(), n_samples_, lowest);
        std::fill(best_.begin() + static_cast<std::ptrdiff_t>(n_samples_), best_.end(), 0.0);
    }
}

void BestTwo::add(const double* draws) {
    kernels::raise_two(best_.data(), second_.data(), owner_.data(), draws,
                       static_cast<double>(++size_), best_.size());
}

void BestTwo::sum_by_owner(const double* values, std::vector<double>& sums) {
    sums.clear();
    if (size_ > kFewOwners) return sum_scattered(values, sums);
    for (std::size_t place = 1; place <= size_; ++place) {
        sums.push_back(
            kernels::sum_owned(values, owner_.data(), static_cast<double>(place), owner_.size()));
    }
}

// Of all owners in one pass. Several sums of each, or a sample would wait until the last one is
// added, as both may have the same owner.
void BestTwo::sum_scattered(const double* values, std::vector<double>& sums) {
    constexpr std::size_t kChains = 4;
    static_assert(kLanes % kChains == 0);
    chains_.assign(kChains * (size_ + 1), 0.0);
    double* chains = chains_.data();
    const double* owners = owner_.data();  // nobody's in the padding
    for (std::size_t s = 0; s < owner_.size(); s += kChains) {
        for (std::size_t chain = 0; chain < kChains; ++chain) {
            const auto owner = static_cast<std::uint32_t>(owners[s + chain]);
            chains[kChains * owner + chain] += values[s + chain];
        }
    }
    for (std::size_t place = 1; place <= size_; ++place) {
        const double* chain = chains_.data() + kChains * place;
        sums.push_back((chain[0] + chain[1]) + (chain[2] + chain[3]));
    }
}

const std::vector<double>& BestTwo::losses() {
    lost_ = best_;
    kernels::add_scaled(lost_.data(), -1.0, second_.data(), n_samples_);
    sum_by_owner(lost_.data(), losses_);
    for (double& loss : losses_) loss /= static_cast<double>(n_samples_);
    return losses_;
}

}  // namespace headrace
