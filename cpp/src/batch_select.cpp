// The one way from a problem to a selection: check, split the batch, decide, write.
#include <algorithm>
#include <memory>
#include <utility>

#include "control.hpp"
#include "headrace/headrace.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "registry.hpp"
#include "require.hpp"
#include "searcher.hpp"
#include "values.hpp"

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
    const bool lacks_draws = method.make_streamer == nullptr && p.samples == nullptr;
    require(!lacks_draws || !(p.sigmas || p.factor), "sigmas and a factor need samples");
    require(!lacks_draws || !p.reveals, "reveals need samples");
}

void check(const Problem& p, const Selection& s) {
    check_sizes(p.n_models, p.n_samples);
    product(p.n_queries, p.n_models);
    if (p.n_queries == 0) return;
    require(p.qualities && p.costs && p.lambda, "qualities, costs and lambda are required");
    require(!(p.sigmas && p.factor), "sigmas and factor exclude each other");
    check_reveals(p);
    require(p.samples == nullptr || p.sigmas || p.factor || p.reveals,
            "samples need sigmas or a factor");
    require(p.samples != nullptr || p.n_samples == 1, "n_samples must be 1 without samples");
    require(s.next_model && s.supermodel && s.tradeoff && s.quality && s.cost && s.upper_bound &&
                s.optimal && s.nodes,
            "every array of the selection is required");
}

// Lays out the samples of a sample matrix.
Problem with_samples(Problem problem) {
    if (problem.sample_matrix == nullptr) return problem;
    const SampleMatrix& matrix = *problem.sample_matrix;
    require(problem.samples == nullptr && problem.n_samples == 1,
            "a sample matrix excludes samples and n_samples");
    require(matrix.n_models() == problem.n_models, "the sample matrix is of other models");
    problem.samples = matrix.data();
    problem.n_samples = matrix.n_samples();
    return problem;
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

// A searcher for one problem after the other of the same shape: a service has one query at a time.
// Between them the pointers of the last problem are not looked at.
class LastingSearcher {
public:
    LastingSearcher(const Problem& problem, const Method& method)
        : problem_(problem),
          samples_(problem_),
          searcher_(problem_, samples_, method),
          method_(method) {}
    LastingSearcher(const LastingSearcher&) = delete;
    LastingSearcher& operator=(const LastingSearcher&) = delete;

    bool fits(const Problem& problem, const Method& method) const {
        return method_.make_decider == method.make_decider &&
               problem_.n_models == problem.n_models && problem_.n_samples == problem.n_samples;
    }

    void decide(const Problem& problem, const Selection& selection, Control& control) {
        problem_ = problem;
        samples_.make(control);
        searcher_.decide_rows(0, problem.n_queries, selection, control);
    }

private:
    Problem problem_;
    Samples samples_;
    Searcher searcher_;
    Method method_;
};

// Entries of the largest buffers of a searcher that is kept: all draws, all prefixes of a cascade.
constexpr std::size_t kMostKept = std::size_t{1} << 18;

void search_alone(const Method& method, const Problem& problem, const Selection& selection,
                  Control& control) {
    thread_local std::unique_ptr<LastingSearcher> kept;
    // Away while it is in use: what is polled may call again. It is gone if something is thrown.
    std::unique_ptr<LastingSearcher> searcher = std::move(kept);
    if (searcher == nullptr || !searcher->fits(problem, method)) {
        searcher.reset();
        searcher = std::make_unique<LastingSearcher>(problem, method);
    }
    searcher->decide(problem, selection, control);
    const std::size_t entries = problem.n_models * std::max(problem.n_models, problem.n_samples);
    if (entries <= kMostKept) kept = std::move(searcher);
}

void search(const Method& method, const Problem& problem, const Selection& selection,
            std::size_t n_threads, Control& control) {
    check_all_values(problem, control);
    const std::size_t useful = useful_threads(
        problem.n_queries, problem.n_models * padded_length(problem.n_samples), kDrawsPerThread);
    n_threads = std::min(n_threads, useful);
    if (n_threads <= 1) return search_alone(method, problem, selection, control);

    const Samples samples(problem, control);
    const auto make_worker = [&]() -> Worker {
        const auto searcher = std::make_shared<Searcher>(problem, samples, method);
        return [&, searcher](std::size_t begin, std::size_t end) {
            searcher->decide_rows(begin, end, selection, control);
        };
    };
    parallel_for(problem.n_queries, n_threads, control, make_worker);
}

}  // namespace

void batch_select(const Problem& given, const Selection& selection, const Execution& execution) {
    const Problem problem = with_samples(given);
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
