// After the first queries of a batch nothing is allocated any more.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "check.hpp"
#include "problems.hpp"

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
    allocations.fetch_add(1);
    void* memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
void* operator new[](std::size_t size) {
    return operator new(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

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
    const std::size_t before = allocations.load();
    headrace::batch_select(problem, selection, execution);
    return allocations.load() - before;
}

void expect_none_after_warm_up(const OwnedProblem& owned, const char* strategy,
                               const char* search) {
    const std::size_t once = allocations_of(owned, 1, strategy, search);
    CHECK(once > 0);
    CHECK_EQUAL(allocations_of(owned, 3, strategy, search), once);
}

}  // namespace

int main() {
    headrace::instruction_set();  // a choice that refuses one allocates the reason
    for (const bool grid : {false, true}) {
        OwnedProblem owned(6, 40, 12, 32, grid);
        for (const bool correlated : {false, true}) {
            if (correlated) owned.correlate();
            expect_none_after_warm_up(owned, "cascade_routing", "exact");
            expect_none_after_warm_up(owned, "cascade_routing", "greedy");
            expect_none_after_warm_up(owned, "cascade_routing", "exhaustive");
            expect_none_after_warm_up(owned, "cascade", "exact");
            expect_none_after_warm_up(owned, "routing", "exact");
            if (!correlated) expect_none_after_warm_up(owned, "index", "exact");
        }
    }
    return check::report();
}
