// What is behind a router: its estimator, its policy, and what its sessions share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "estimator.hpp"
#include "policy.hpp"
#include "run_set_cache.hpp"
#include "workspace_pool.hpp"

namespace headrace {

class RouterState {
public:
    RouterState(std::unique_ptr<const Estimator> estimator, Policy policy);

    const Estimator& estimator() const { return *estimator_; }
    const Policy& policy() const { return policy_; }

    // A workspace, where `order`, `ran` and `has_run` are of these sets: bits of the models that
    // have run, and of those that are out.
    std::unique_ptr<Workspace> workspace(const std::uint64_t* ran, const std::uint64_t* out,
                                         std::size_t n_open) const;

    // To be given back once it is not in use, unless something was thrown.
    void give_back(std::unique_ptr<Workspace> workspace) const;

    // Writes the estimates of a query into the workspace, and checks them. The key holds both sets.
    // Returns the facts that they are made of, or null for estimators that have none.
    const RunSetFacts* estimate(const Known& known, RunSetCache::Key key,
                                Workspace& workspace) const;

private:
    RunSetFacts make_facts(const Workspace& workspace) const;

    std::unique_ptr<const Estimator> estimator_;
    Policy policy_;
    RunSetCache facts_;
    mutable WorkspacePool workspaces_;
};

}  // namespace headrace
