// The one way from a problem to a selection: check, split the batch, decide, write.
#include <algorithm>

#include "control.hpp"
#include "headrace/headrace.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "registry.hpp"
#include "require.hpp"
#include "values.hpp"
#include "write_decision.hpp"

namespace headrace {

namespace {

// Options that exclude each other, and what uncertainty needs.
void check_options(const Problem& p, const Method& method) {
    require(p.max_models >= 1, "max_models must be at least 1");
    require(p.time_limit >= 0.0 && p.time_limit <= kLargestMagnitude,
            "time_limit must be finite and not negative");
    require(p.search != "exhaustive" || (p.node_limit == 0 && p.time_limit == 0.0),
            "exhaustive visits every supermodel: node_limit and time_limit are for exact");
    require(p.strategy != "index" || !p.factor,
            "index needs independent estimates: give sigmas, not a factor");
    require(p.strategy != "index" || (p.max_models >= p.n_models && !p.fixed_order),
            "index finds its own order and depth: leave out max_models and fixed_order");
    require(method.make_streamer != nullptr || p.samples != nullptr || !(p.sigmas || p.factor),
            "sigmas and a factor need samples");
}

void check(const Problem& p, const Selection& s) {
    require(p.n_models >= 1 && p.n_models <= kMaxModels, "n_models must be 1 to 4096");
    require(p.n_samples >= 1, "n_samples must be at least 1");
    product(p.n_samples, kLanes);
    product(p.n_queries, p.n_models);
    product(p.n_models, p.n_samples);
    product(p.n_models, padded_length(p.n_samples));
    if (p.n_queries == 0) return;
    require(p.qualities && p.costs && p.lambda, "qualities, costs and lambda are required");
    require(!(p.sigmas && p.factor), "sigmas and factor exclude each other");
    check_reveals(p);
    require(p.samples == nullptr || p.sigmas || p.factor, "samples need sigmas or a factor");
    require(p.samples != nullptr || p.n_samples == 1, "n_samples must be 1 without samples");
    require(s.next_model && s.supermodel && s.tradeoff && s.quality && s.cost && s.upper_bound &&
                s.optimal && s.nodes,
            "every array of the selection is required");
}

void stream(const Method& method, const Problem& problem, const Selection& selection,
            std::size_t n_threads, Control& control) {
    check_shared_values(problem);
    const auto make_worker = [&]() -> Worker {
        const std::shared_ptr<Streamer> streamer = method.make_streamer(problem, selection);
        return
            [streamer](std::size_t begin, std::size_t end) { streamer->decide_rows(begin, end); };
    };
    const std::size_t useful =
        useful_threads(problem.n_queries, problem.n_models, kModelsPerThread);
    parallel_for(problem.n_queries, std::min(n_threads, useful), control, make_worker);
}

void search(const Method& method, const Problem& problem, const Selection& selection,
            std::size_t n_threads, Control& control) {
    check_all_values(problem, control);
    const Samples samples(problem, control);
    const auto make_worker = [&]() -> Worker {
        const std::shared_ptr<Decider> decider = method.make_decider();
        const auto query = std::make_shared<Query>(problem, samples);
        const auto decision = std::make_shared<Decision>();
        const bool in_order = problem.fixed_order || decider->in_order();
        return [&, decider, query, decision, in_order](std::size_t begin, std::size_t end) {
            for (std::size_t row = begin; row < end; ++row) {
                control.check();
                query->load(row, decider->draws(), control);
                decision->nodes = 0;
                decider->decide(*query, *decision, control);
                write(*query, *decision, in_order, row, selection);
            }
        };
    };
    const std::size_t useful = useful_threads(
        problem.n_queries, problem.n_models * padded_length(problem.n_samples), kDrawsPerThread);
    parallel_for(problem.n_queries, std::min(n_threads, useful), control, make_worker);
}

}  // namespace

void batch_select(const Problem& problem, const Selection& selection, const Execution& execution) {
    // Unknown names fail before any work.
    const Method method = find_method(problem.strategy, problem.search);
    check(problem, selection);
    check_options(problem, method);
    instruction_set();  // chosen here, or the choice fails
    if (problem.n_queries == 0) return;

    Control control(execution.poll);
    const auto decide = method.make_streamer != nullptr ? stream : search;
    decide(method, problem, selection, execution.n_threads, control);
}

}  // namespace headrace
