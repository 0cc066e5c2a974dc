// The models that a search still considers, from the cheapest up, with their draws side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "query.hpp"

namespace headrace {

using Local = std::uint32_t;  // position in a pool

class Pool {
public:
    // Takes in candidates of a query and makes their draws.
    void fill(const Query& query, const std::vector<std::size_t>& models);

    std::size_t size() const { return models_.size(); }
    std::size_t model(Local j) const { return models_[j]; }
    double cost(Local j) const { return costs_[j]; }
    double price(Local j) const { return prices_[j]; }  // lambda * cost
    const double* draws(Local j) const { return draws_.data() + j * length_; }

    // What each of some models gains over a level less its price: the mean of (x - level)+ over its
    // draws x.
    void gains(const std::vector<Local>& models, const double* level, std::vector<double>& gains,
               Pace& pace) const;

private:
    std::vector<std::size_t> models_;
    std::vector<double> costs_, prices_;
    Doubles draws_;  // (size, length)
    std::size_t length_ = 0;
    double n_samples_ = 1.0;
};

}  // namespace headrace
