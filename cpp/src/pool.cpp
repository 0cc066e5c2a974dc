#include "pool.hpp"

#include <algorithm>

#include "kernels.hpp"

namespace headrace {

void Pool::fill(const Query& query, const std::vector<std::size_t>& models) {
    length_ = query.length;
    n_samples_ = static_cast<double>(query.problem.n_samples);
    models_ = models;
    std::sort(models_.begin(), models_.end(), [&](std::size_t a, std::size_t b) {
        return query.costs[a] != query.costs[b] ? query.costs[a] < query.costs[b] : a < b;
    });
    costs_.resize(size());
    prices_.resize(size());
    if (draws_.size() < size() * length_) draws_.resize(size() * length_);
    for (std::size_t j = 0; j < size(); ++j) {
        costs_[j] = query.costs[models_[j]];
        prices_[j] = query.lambda * costs_[j];
        query.draw(models_[j], draws_.data() + j * length_);
    }
}

void Pool::gains(const std::vector<Local>& models, const double* level, std::vector<double>& gains,
                 Pace& pace) const {
    gains.resize(models.size());
    kernels::excess(draws_.data(), length_, models.data(), models.size(), level, length_,
                    gains.data());
    pace.work(models.size() * length_);
    for (std::size_t m = 0; m < models.size(); ++m) {
        gains[m] = gains[m] / n_samples_ - prices_[models[m]];
    }
}

}  // namespace headrace
