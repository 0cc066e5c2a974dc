// The one way from a problem to a selection: check sizes, split the batch, decide, write.
#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "control.hpp"
#include "headrace/headrace.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "registry.hpp"

namespace headrace {

namespace {

// Below this many draws, starting a thread costs more than it saves.
constexpr std::size_t kDrawsPerThread = std::size_t{1} << 15;

void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

std::size_t product(std::size_t a, std::size_t b) {
    if (b != 0 && a > std::numeric_limits<std::size_t>::max() / sizeof(double) / b) {
        throw std::invalid_argument("the product of the sizes overflows");
    }
    return a * b;
}

void check(const Problem& p, const Selection& s) {
    require(p.n_models >= 1 && p.n_models <= kMaxModels, "n_models must be 1 to 4096");
    require(p.n_samples >= 1, "n_samples must be at least 1");
    product(p.n_samples, kLanes);
    require(p.max_models >= 1, "max_models must be at least 1");
    product(p.n_queries, p.n_models);
    product(p.n_models, p.n_samples);
    product(p.n_models, padded_length(p.n_samples));
    if (p.n_queries == 0) return;
    require(p.qualities && p.costs && p.lambda, "qualities, costs and lambda are required");
    require(!(p.sigmas && p.factor), "sigmas and factor exclude each other");
    require(p.samples == nullptr || p.sigmas || p.factor, "samples need sigmas or a factor");
    require(p.samples != nullptr || p.n_samples == 1, "n_samples must be 1 without samples");
    require(s.next_model && s.supermodel && s.tradeoff && s.quality && s.cost && s.upper_bound &&
                s.optimal && s.nodes,
            "every array of the selection is required");
    if (!p.ran) return;
    for (std::size_t row = 0; row < p.n_queries; ++row) {
        const bool* ran = p.ran[row];
        require(!std::all_of(ran, ran + p.n_models, [](bool r) { return r; }),
                "all models of a query have run");
    }
}

std::int64_t next_model(const Query& query, const Decision& decision, bool in_order) {
    if (decision.added.empty()) return -1;
    std::size_t next = decision.added.front();
    if (!in_order) {
        for (const std::size_t i : decision.added) {
            if (query.costs[i] < query.costs[next]) next = i;
        }
    }
    return static_cast<std::int64_t>(next);
}

void write(const Query& query, const Decision& decision, bool in_order, std::size_t row,
           const Selection& selection) {
    const std::size_t k = query.problem.n_models;
    bool* supermodel = selection.supermodel + row * k;
    std::fill_n(supermodel, k, false);
    for (const std::size_t i : query.ran) supermodel[i] = true;
    for (const std::size_t i : decision.added) supermodel[i] = true;
    selection.next_model[row] = next_model(query, decision, in_order);
    selection.quality[row] = decision.quality;
    selection.cost[row] = decision.cost;
    selection.tradeoff[row] = decision.quality - query.lambda * decision.cost;
    selection.upper_bound[row] = decision.upper_bound + query.rounding_allowance();
    selection.optimal[row] = decision.optimal;
    selection.nodes[row] = static_cast<std::int64_t>(decision.nodes);
}

}  // namespace

void batch_select(const Problem& problem, const Selection& selection, const Execution& execution) {
    // Unknown names fail before any work.
    const Draws draws = make_decider(problem.strategy, problem.search)->draws();
    check(problem, selection);
    instruction_set();  // chosen here, or the choice fails
    if (problem.n_queries == 0) return;

    Control control(execution.poll);
    std::optional<Samples> samples;
    if (draws != Draws::kNone) samples.emplace(problem, control);
    const auto make_worker = [&]() -> Worker {
        const std::shared_ptr<Decider> decider = make_decider(problem.strategy, problem.search);
        const auto query = std::make_shared<Query>(problem, samples ? &*samples : nullptr);
        const auto decision = std::make_shared<Decision>();
        const bool in_order = problem.fixed_order || decider->in_order();
        return [&, decider, query, decision, in_order](std::size_t begin, std::size_t end) {
            for (std::size_t row = begin; row < end; ++row) {
                control.check();
                query->load(row, draws, control);
                decision->nodes = 0;
                decider->decide(*query, *decision, control);
                write(*query, *decision, in_order, row, selection);
            }
        };
    };
    const std::size_t per_query = problem.n_models * padded_length(problem.n_samples);
    const std::size_t useful =
        std::max<std::size_t>(1, problem.n_queries / (kDrawsPerThread / per_query + 1));
    parallel_for(problem.n_queries, std::min(execution.n_threads, useful), control, make_worker);
}

}  // namespace headrace
