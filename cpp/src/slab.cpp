#include "slab.hpp"

#include <algorithm>

#include "require.hpp"
#include "values.hpp"

namespace headrace {

namespace {

constexpr std::size_t kMostNumbers = std::size_t{1} << 22;  // in each array
constexpr double kNoPrice = 0.0;

}  // namespace

void Slab::clear() {
    groups.clear();
    qualities_.clear();
    costs_.clear();
    sigmas_.clear();
    nodes_group_.clear();
    group_of_.clear();
    has_run_.clear();
}

bool Slab::full() const {
    const bool correlated = !groups.empty() && !groups.front().factor.empty();
    const std::size_t each = rollout_.n_models * rollout_.n_samples;
    return qualities_.size() >= kMostNumbers ||
           (correlated && groups.size() * each >= kMostNumbers);
}

void Slab::check(const Forecast& forecast) const {
    require(forecast.qualities && forecast.costs, "a forecast needs qualities and costs");
    require(!(forecast.sigmas && forecast.factor), "sigmas and factor exclude each other");
    require(!forecast.reveals || !(forecast.sigmas || forecast.factor),
            "reveals exclude sigmas and factor");
    if (groups.empty()) return;
    require(sigmas_.empty() == !forecast.sigmas &&
                groups.front().factor.empty() == !forecast.factor && !nodes_ == !forecast.reveals,
            "sigmas, a factor or reveals must be in every forecast, or in none");
    require(!nodes_ || (forecast.reveals.n_nodes == nodes_.n_nodes &&
                        forecast.reveals.n_groups == nodes_.n_groups),
            "the nodes of reveals must be the same in every forecast");
}

void Slab::add(const RunSet& ran, std::size_t n_states, const Forecast& forecast) {
    const std::size_t k = rollout_.n_models;
    check(forecast);
    if (groups.empty()) take_nodes(forecast.reveals);
    Group& group = groups.emplace_back();
    group.ran = ran;
    group.first_state = this->n_states();
    if (forecast.factor) group.factor.assign(forecast.factor[0], forecast.factor[0] + k * k);
    for (std::size_t state = 0; state < n_states; ++state) {
        append(qualities_, forecast.qualities[state]);
        append(costs_, forecast.costs[state]);
        if (forecast.sigmas) append(sigmas_, forecast.sigmas[state]);
        if (forecast.reveals) nodes_group_.push_back(*forecast.reveals.group[state]);
        group_of_.push_back(groups.size() - 1);
    }
    std::vector<std::uint8_t> run(k, 0);
    for (const std::size_t i : ran) run[i] = 1;
    has_run_.insert(has_run_.end(), run.begin(), run.end());
}

void Slab::append(std::vector<double>& to, const double* row) const {
    to.insert(to.end(), row, row + rollout_.n_models);
}

void Slab::take_nodes(const Reveals& given) {
    nodes_ = given;
    if (!given) return;
    require(given.right != nullptr && given.wrong != nullptr && given.group,
            "reveals need the chances of their nodes and a group for each query");
    const std::size_t size = product(product(given.n_groups, rollout_.n_models), given.n_nodes);
    right_.assign(given.right, given.right + size);
    wrong_.assign(given.wrong, given.wrong + size);
    nodes_.right = right_.data();
    nodes_.wrong = wrong_.data();
}

void Slab::finish(Control& control) {
    const std::size_t k = rollout_.n_models;
    ran_ = std::make_unique<bool[]>(has_run_.size());
    std::copy(has_run_.begin(), has_run_.end(), ran_.get());
    problem = Problem{};
    problem.n_queries = n_states();
    problem.n_models = k;
    problem.qualities = {qualities_.data(), k};
    problem.costs = {costs_.data(), k};
    problem.lambda = {&kNoPrice, 0};
    if (!sigmas_.empty()) problem.sigmas = {sigmas_.data(), k};
    if (!groups.front().ran.empty()) problem.ran = {ran_.get(), k, group_of_.data()};
    if (nodes_) {
        problem.reveals = nodes_;
        problem.reveals.group = {nodes_group_.data(), 1};
    }
    problem.strategy = rollout_.strategy;
    problem.search = rollout_.search;
    problem.max_models = rollout_.max_models;
    problem.ties = rollout_.ties;
    const bool correlated = !groups.front().factor.empty();
    if (rollout_.samples != nullptr && (problem.sigmas || correlated || problem.reveals)) {
        problem.samples = rollout_.samples;
        problem.n_samples = rollout_.n_samples;
    }
    check_reveals(problem);
    if (!correlated) return;
    for (Group& group : groups) {
        group.problem = problem;
        group.problem.factor = {group.factor.data(), 0};
        check_shared_values(group.problem);
        group.samples = std::make_unique<Samples>(group.problem, control);
    }
}

}  // namespace headrace
