// For a set of models: the best and the second-best draw of every sample, and whose the best is.
#pragma once

#include <cstddef>
#include <vector>

#include "query.hpp"

namespace headrace {

class BestTwo {
public:
    static constexpr double kNobody = -1.0;

    // Starts with the best draws of what has run, which belong to nobody, or with none (null).
    // `lowest` is below every draw and stands for the answer of an empty set.
    void start(const Query& query, const double* ran, double lowest);

    // Adds a model, whose place is the number of those added before.
    void add(const double* draws);

    std::size_t size() const { return size_; }
    const Doubles& best() const { return best_; }      // padded with zeros
    const Doubles& second() const { return second_; }  // padded with anything
    bool is_owned(std::size_t sample) const { return owner_[sample] != kNobody; }
    std::size_t owner(std::size_t sample) const { return static_cast<std::size_t>(owner_[sample]); }

    // What the mean of the best draws loses without each of the models.
    const std::vector<double>& losses();

private:
    Doubles best_, second_, owner_;
    std::vector<double> losses_;
    std::size_t n_samples_ = 0;
    std::size_t size_ = 0;
};

}  // namespace headrace
