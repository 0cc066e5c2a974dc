// After the first queries of a batch, or the first of a shape on a thread, nothing is allocated.
#include <algorithm>

#include "allocations.hpp"
#include "check.hpp"
#include "headrace/router.hpp"
#include "problems.hpp"
#include "session_files.hpp"

namespace {

// The same queries `repeats` times over.
std::size_t allocations_of(const OwnedProblem& owned, std::size_t repeats, const char* strategy,
                           const char* search) {
    const std::size_t n = owned.problem.n_queries * repeats;
    const std::size_t k = owned.problem.n_models;
    OwnedProblem repeated = OwnedProblem(0, n, k, 0, false);
    for (std::size_t row = 0; row < n; ++row) {
        const std::size_t from = row % owned.problem.n_queries;
        std::copy_n(owned.problem.qualities[from], k, repeated.qualities.data() + row * k);
        std::copy_n(owned.problem.costs[from], k, repeated.costs.data() + row * k);
        repeated.lambda[row] = *owned.problem.lambda[from];
    }
    headrace::Problem problem = repeated.problem;
    problem.sigmas = owned.problem.sigmas;
    problem.factor = owned.problem.factor;
    problem.samples = owned.problem.samples;
    problem.n_samples = owned.problem.n_samples;
    problem.strategy = strategy;
    problem.search = search;
    Answer answer{n, k};
    const headrace::Selection selection = answer.view();
    const headrace::Execution execution;
    const std::size_t before = n_allocations();
    headrace::batch_select(problem, selection, execution);
    return n_allocations() - before;
}

// Searches keep their memory from call to call, of a thread that decides alone; what streams has
// little.
void expect_none_after_warm_up(const OwnedProblem& owned, const char* strategy, const char* search,
                               bool keeps = true) {
    const std::size_t once = allocations_of(owned, 1, strategy, search);
    CHECK(once > 0);
    const std::size_t again = keeps ? 0 : once;
    CHECK_EQUAL(allocations_of(owned, 1, strategy, search), again);
    CHECK_EQUAL(allocations_of(owned, 3, strategy, search), again);
}

// Sessions that go all their way, one after the other in the same memory.
void expect_none_in_sessions(RouterMaker maker) {
    const auto router = headrace::Router::from_bytes(maker.content());
    headrace::Session session(router);
    const std::vector<double> numbers = maker.numbers(64, 0.0, 1.0);
    std::size_t n_runs = 0;
    const auto run = [&](std::size_t query) {
        const std::span<const double> from(numbers.data() + query, 64 - query);
        session.start({.features = from.first(router->n_features()),
                       .dearer = query % 2 == 1,
                       .row = static_cast<std::int64_t>(query % 2)});
        for (std::int64_t i; (i = session.next_model()) != headrace::kStop; ++n_runs) {
            session.observe(static_cast<std::size_t>(i), from.first(router->n_signals()));
        }
        CHECK(session.answer() < router->n_models());
    };
    for (std::size_t query = 0; query < 40; ++query) run(query);
    const std::size_t before = n_allocations();
    for (std::size_t query = 0; query < 40; ++query) run(query);
    CHECK_EQUAL(n_allocations(), before);
    CHECK(n_runs >= 80);
}

}  // namespace

int main() {
    headrace::instruction_set();  // a choice that refuses one allocates the reason
    for (const bool noisy : {false, true}) {
        for (const char* strategy :
             {"cascade_routing", "cascade", "index", "routing", "threshold_cascade"}) {
            for (const char* search : {"exact", "greedy", "exhaustive"}) {
                RouterMaker maker;
                maker.k = 12;
                maker.noisy = noisy;
                maker.strategy = strategy;
                maker.search = search;
                expect_none_in_sessions(maker);
            }
        }
    }
    for (const bool grid : {false, true}) {
        OwnedProblem owned(6, 40, 12, 32, grid);
        for (const bool correlated : {false, true}) {
            if (correlated) owned.correlate();
            expect_none_after_warm_up(owned, "cascade_routing", "exact");
            expect_none_after_warm_up(owned, "cascade_routing", "greedy");
            expect_none_after_warm_up(owned, "cascade_routing", "exhaustive");
            expect_none_after_warm_up(owned, "cascade", "exact");
            expect_none_after_warm_up(owned, "routing", "exact", false);
            if (!correlated) expect_none_after_warm_up(owned, "index", "exact", false);
        }
    }
    return check::report();
}
