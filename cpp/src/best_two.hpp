// For a set of models: the best and the second-best draw of every sample, and whose the best is.
#pragma once

#include <cstddef>
#include <vector>

#include "query.hpp"

namespace headrace {

class BestTwo {
public:
    // Starts with the best draws of what has run, which belong to nobody, or with none (null).
    // `lowest` is below every draw and stands for the answer of an empty set.
    void start(const Query& query, const double* ran, double lowest);

    // Adds a model. The first is at place 1.
    void add(const double* draws);

    std::size_t size() const { return size_; }
    const Doubles& best() const { return best_; }      // padded with zeros
    const Doubles& second() const { return second_; }  // padded with anything

    // The place of the model whose draw is the best; 0 where it is nobody's, as in the padding.
    std::size_t owner(std::size_t sample) const { return static_cast<std::size_t>(owner_[sample]); }

    // Adds numbers, one of each sample (padded with anything), by owner: without nobody's.
    void sum_by_owner(const double* values, std::vector<double>& sums);

    // What the mean of the best draws loses without each of the models.
    const std::vector<double>& losses();

private:
    void sum_scattered(const double* values, std::vector<double>& sums);

    Doubles best_, second_, owner_;
    Doubles lost_;                // of each sample without its best draw
    std::vector<double> chains_;  // of sums
    std::vector<double> losses_;
    std::size_t n_samples_ = 0;
    std::size_t size_ = 0;
};

}  // namespace headrace
