#include "best_two.hpp"

#include <algorithm>

#include "kernels.hpp"

namespace headrace {

void BestTwo::start(const Query& query, const double* ran, double lowest) {
    n_samples_ = query.problem.n_samples;
    size_ = 0;
    second_.assign(query.length, lowest);
    owner_.assign(query.length, kNobody);
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
                       static_cast<double>(size_++), best_.size());
}

const std::vector<double>& BestTwo::losses() {
    losses_.assign(size_, 0.0);
    for (std::size_t s = 0; s < n_samples_; ++s) {
        if (is_owned(s)) losses_[owner(s)] += best_[s] - second_[s];
    }
    for (double& loss : losses_) loss /= static_cast<double>(n_samples_);
    return losses_;
}

}  // namespace headrace
