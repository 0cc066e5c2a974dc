#include "router_state.hpp"

#include <functional>
#include <string>
#include <utility>

#include "bits.hpp"
#include "cholesky.hpp"
#include "kernels.hpp"
#include "number_text.hpp"

namespace headrace {

namespace {

constexpr std::size_t kMostFactBytes = std::size_t{64} << 20;

void check_estimates(const char* what, const std::vector<double>& values, double low) {
    if (kernels::within(values.data(), values.size(), low, kLargestMagnitude)) return;
    std::size_t i = 0;
    while (values[i] >= low && values[i] <= kLargestMagnitude) ++i;
    throw std::invalid_argument(std::string("the estimator's ") + what + " " +
                                broken_rule(values[i]) + " for model " + std::to_string(i));
}

}  // namespace

RouterState::RouterState(std::unique_ptr<const Estimator> estimator, Policy policy)
    : estimator_(std::move(estimator)), policy_(std::move(policy)), facts_(kMostFactBytes) {}

std::unique_ptr<Workspace> RouterState::workspace(const std::uint64_t* ran,
                                                  const std::uint64_t* out,
                                                  std::size_t n_open) const {
    const std::size_t k = policy_.models.size();
    std::unique_ptr<Workspace> found = n_open == k ? workspaces_.take() : nullptr;
    if (found == nullptr) {
        found = std::make_unique<Workspace>(policy_, estimator_->reveals(), n_open);
    }
    found->has_run = ran;
    found->ran.clear();
    bits::for_each(ran, k, [&](std::size_t i) { found->ran.push_back(i); });
    if (found->order.empty()) {  // else it has all models, as before
        for (const std::size_t i : policy_.order) {
            if (!bits::holds(out, i)) found->order.push_back(i);
        }
    }
    return found;
}

void RouterState::give_back(std::unique_ptr<Workspace> workspace) const {
    if (workspace->order.size() == policy_.models.size()) {
        workspaces_.give_back(std::move(workspace));
    }
}

const RunSetFacts* RouterState::estimate(const Known& known, RunSetCache::Key key,
                                         Workspace& workspace) const {
    const RunSetFacts* facts = nullptr;
    if (estimator_->uncertainty() == Uncertainty::kCovariance) {
        if (workspace.order.size() < policy_.models.size()) {
            // Without some models: these sets are too many to keep.
            workspace.own = std::make_unique<RunSetFacts>(make_facts(workspace));
            facts = workspace.own.get();
        } else {
            facts = &facts_.get(key, [&] { return make_facts(workspace); }, workspace.own);
        }
    }
    estimator_->estimate(known, workspace.ran, facts == nullptr ? nullptr : &facts->conditioned,
                         workspace.qualities.data(), workspace.costs.data(),
                         workspace.deviations.data());
    check_estimates("qualities", workspace.qualities, -kLargestMagnitude);
    check_estimates("costs", workspace.costs, 0.0);
    check_estimates("sigmas", workspace.deviations, 0.0);
    return facts;
}

RunSetFacts RouterState::make_facts(const Workspace& workspace) const {
    RunSetFacts facts;
    facts.conditioned = estimator_->condition(workspace.ran);
    if (policy_.ahead == Ahead::kCovariance) {
        const std::size_t n = workspace.order.size();
        const Matrix& by_column = facts.conditioned.covariance;
        Matrix covariance(n, n);
        for (std::size_t p = 0; p < n; ++p) {
            for (std::size_t o = 0; o < n; ++o) {
                covariance[p][o] = by_column[workspace.order[p]][workspace.order[o]];
            }
        }
        Matrix factor = lower_cholesky(covariance);
        for (double& entry : factor.values) entry *= policy_.lookahead;
        const std::size_t each = policy_.n_samples;
        std::vector<double> samples;
        for (const std::size_t i : workspace.order) {
            samples.insert(samples.end(), policy_.samples_of(i), policy_.samples_of(i) + each);
        }
        facts.rows.data.resize(n * each);
        const std::function<bool()> never;
        Control control(never);
        correlate(factor.values.data(), samples.data(), n, each, facts.rows.data.data(), control);
        facts.rows.learn(each);
    }
    facts.conditioned.covariance = {};
    return facts;
}

}  // namespace headrace
