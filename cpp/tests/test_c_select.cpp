// The C interface decides as the C++ library does, and keeps its messages by thread.
#include <algorithm>
#include <string>
#include <thread>

#include "check.hpp"
#include "headrace.h"
#include "problems.hpp"

namespace {

struct Named {
    const char* strategy;
    const char* search;
};

headrace_problem in_c(const headrace::Problem& p, const Named& named) {
    headrace_problem c{};
    c.size = sizeof c;
    c.n_queries = p.n_queries;
    c.n_models = p.n_models;
    c.n_samples = p.samples == nullptr ? 0 : p.n_samples;
    c.qualities = p.qualities.data;
    c.costs = p.costs.data;
    c.lambda = p.lambda.data;
    c.sigmas = p.sigmas.data;
    c.factor = p.factor.data;
    c.ran = p.ran.data;
    c.samples = p.samples;
    c.strategy = named.strategy;
    c.search = named.search;
    c.ties = p.ties == headrace::Ties::kDearest ? "dearest" : "cheapest";
    const bool index = std::string(named.strategy) == "index";
    c.max_models = index || p.max_models == headrace::kMaxModels ? 0 : p.max_models;
    c.fixed_order = !index && p.fixed_order ? 1 : 0;
    c.shared = HEADRACE_SHARED_SIGMAS | HEADRACE_SHARED_FACTOR;
    return c;
}

headrace_selection in_c(const headrace::Selection& s) {
    return {sizeof(headrace_selection),
            s.next_model,
            s.supermodel,
            s.tradeoff,
            s.quality,
            s.cost,
            s.upper_bound,
            s.optimal,
            s.nodes};
}

void decides_alike(const OwnedProblem& owned) {
    const std::size_t n = owned.problem.n_queries;
    for (const Named& named :
         {Named{"routing", "exact"}, Named{"cascade", "exact"}, Named{"cascade_routing", "exact"},
          Named{"cascade_routing", "greedy"}, Named{"cascade_routing", "exhaustive"},
          Named{"index", "exact"}}) {
        headrace_problem asked = in_c(owned.problem, named);
        if (std::string(named.strategy) == "index" && asked.factor != nullptr) continue;
        const Answer expected = owned.solve(named.strategy, named.search);
        for (const std::size_t n_threads : {0U, 3U}) {
            Answer answer{n, owned.problem.n_models};
            const headrace_selection selection = in_c(answer.view());
            asked.n_threads = n_threads;
            CHECK_EQUAL(headrace_select(&asked, &selection), HEADRACE_OK);
            CHECK(answer.decides_as(expected));
            CHECK(answer.upper_bound == expected.upper_bound);
            CHECK(answer.nodes == expected.nodes);
            CHECK(
                std::equal(answer.optimal.get(), answer.optimal.get() + n, expected.optimal.get()));
        }
    }
}

void messages_belong_to_threads() {
    headrace_samples(0, 0, 1, nullptr);
    const std::string mine = headrace_last_error();
    std::string before, theirs;
    std::thread([&] {
        before = headrace_last_error();
        headrace_select(nullptr, nullptr);
        theirs = headrace_last_error();
    }).join();
    CHECK_EQUAL(before, "");
    CHECK_EQUAL(theirs, "problem must not be NULL");
    CHECK_EQUAL(headrace_last_error(), mine);
}

}  // namespace

int main() {
    std::uint64_t seed = 0;
    for (const bool grid : {false, true}) {
        for (const std::size_t n_samples : {0U, 5U, 64U}) {
            for (const std::size_t k : {1U, 3U, 9U}) {
                for (int repeat = 0; repeat < 5; ++repeat) {
                    OwnedProblem owned(seed++, 6, k, n_samples, grid);
                    decides_alike(owned);
                    if (n_samples == 0) continue;
                    owned.correlate();
                    decides_alike(owned);
                }
            }
        }
    }
    messages_belong_to_threads();
    return check::report();
}
