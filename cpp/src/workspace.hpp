// The memory and the deciders for one decision at a time of a fitted router.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "headrace/headrace.hpp"
#include "policy.hpp"
#include "registry.hpp"
#include "run_set_cache.hpp"
#include "samples.hpp"
#include "searcher.hpp"

namespace headrace {

class Workspace {
public:
    // For the policy of a router, with so many models that are not out. Reveals are by column.
    Workspace(const Policy& policy, const RevealTables* reveals, std::size_t n_open);
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    // Of the query at hand, by column: for the estimator to write, before decide() reads them.
    std::vector<double> qualities, costs, deviations;

    const std::uint64_t* has_run = nullptr;  // a bit for each column; of the session at hand
    std::vector<std::size_t> ran;            // ascending
    std::vector<std::size_t> order;          // of the models that are not out, by position
    std::unique_ptr<RunSetFacts> own;        // facts that the cache has no room for

    // Decides by a strategy that is no threshold cascade; a model must be left to run. `facts` are
    // those of what has run, where the policy looks ahead by covariances. The supermodel of the
    // selection is by position.
    const Selection& decide(const RunSetFacts* facts, std::size_t group, bool dearer,
                            const std::function<bool()>& poll);

private:
    void lay_out(bool dearer);
    void lay_samples(const RunSetFacts* facts);
    void lay_reveals(std::size_t group);
    void lay_changes();

    const Policy& policy_;
    const RevealTables* reveals_;

    Problem problem_;  // of one query; arrays by position
    std::vector<double> q_, c_, s_;
    std::unique_ptr<bool[]> ran_;
    double lambda_ = 0.0;
    std::vector<double> right_, wrong_;  // reveals of the group
    std::int64_t reveal_group_ = 0;
    std::size_t revealed_group_;  // that they are of

    std::unique_ptr<bool[]> supermodel_;
    std::int64_t next_model_ = 0;
    std::int64_t nodes_ = 0;
    std::array<double, 4> numbers_{};
    bool optimal_ = false;
    Selection selection_;

    std::unique_ptr<Streamer> streamer_;  // one of the two
    std::unique_ptr<Searcher> searcher_;
    Samples samples_;
    OwnRows own_rows_;  // of the models that are not out, where some are, or of reveals
    std::vector<std::uint32_t> falling_;  // their order, for reveals, where some are out
    RowFacts sample_facts_;
};

}  // namespace headrace
