// States of a rollout that are decided together, with their forecasts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "control.hpp"
#include "headrace/rollout.hpp"
#include "samples.hpp"

namespace headrace {

using RunSet = std::vector<std::size_t>;  // ascending

// A run of groups of states; a group's states have run the same models. Owns copies of the
// forecasts.
class Slab {
public:
    struct Group {
        RunSet ran;
        std::size_t first_state = 0;
        std::vector<double> factor;
        Problem problem;  // rows are the states of the slab
        std::unique_ptr<Samples> samples;
    };

    explicit Slab(const RolloutProblem& rollout) : rollout_(rollout) {}

    void clear();
    void add(const RunSet& ran, std::size_t n_states, const Forecast& forecast);
    bool full() const;

    // Lays the problems over the arrays, which grow no more.
    void finish(Control& control);

    std::size_t n_states() const { return group_of_.size(); }
    const Group& group_of(std::size_t state) const { return groups[group_of_[state]]; }
    const double* qualities(std::size_t state) const {
        return qualities_.data() + state * rollout_.n_models;
    }
    const std::vector<std::size_t>& groups_of_states() const { return group_of_; }

    std::vector<Group> groups;
    Problem problem;  // of all states, without a factor

private:
    void check(const Forecast& forecast) const;
    void append(std::vector<double>& to, const double* row) const;
    void take_nodes(const Reveals& given);

    const RolloutProblem& rollout_;
    std::vector<double> qualities_, costs_, sigmas_;  // (states, k)
    std::vector<double> right_, wrong_;
    std::vector<std::int64_t> nodes_group_;
    std::vector<std::size_t> group_of_;  // (states,)
    std::vector<std::uint8_t> has_run_;  // (groups, k)
    std::unique_ptr<bool[]> ran_;        // the same
    Reveals nodes_;
};

}  // namespace headrace
