// batch_select against an enumeration of bit masks that shares nothing with it.
#include <algorithm>
#include <cmath>
#include <optional>

#include "check.hpp"
#include "problems.hpp"

namespace {

struct Best {
    double tradeoff = -1e300;  // of any admissible set
    double cost = 0.0;         // of the tie's winner
    unsigned models = 0;
};

bool has(unsigned set, std::size_t i) {
    return (set >> i & 1U) != 0;
}

// Whether a set comes first in the lexicographic order of the lists of its models, equal in number.
bool first_in_order(unsigned a, unsigned b, std::size_t k) {
    for (std::size_t i = 0; i < k; ++i) {
        if (has(a, i) != has(b, i)) return has(a, i);
    }
    return false;
}

Best enumerate(const OwnedProblem& owned, std::size_t row) {
    const headrace::Problem& p = owned.problem;
    const std::size_t k = p.n_models;
    unsigned run = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; p.ran && i < k; ++i) {
        if (p.ran[row][i]) run |= 1U << i;
        if (p.ran[row][i] && p.fixed_order) first = i;
    }
    struct Set {
        unsigned models;
        double tradeoff, cost;
    };
    std::vector<Set> sets;
    Best best;
    for (unsigned set = 1; set < 1U << k; ++set) {
        if ((set & run) != run) continue;
        std::size_t size = 0;
        bool allowed = true;
        double cost = 0.0;
        for (std::size_t i = 0; i < k; ++i) {
            size += has(set, i);
            if (!has(set, i) || has(run, i)) continue;
            allowed = allowed && i >= first;
            cost += p.costs[row][i];
        }
        if (set != run && (!allowed || size > p.max_models)) continue;
        long double quality = 0.0L;
        for (std::size_t s = 0; s < p.n_samples; ++s) {
            double most = -1e300;
            for (std::size_t i = 0; i < k; ++i) {
                if (!has(set, i)) continue;
                double x = p.qualities[row][i];
                for (std::size_t j = 0; p.factor && j <= i; ++j) {
                    x += p.factor[row][i * k + j] * p.samples[j * p.n_samples + s];
                }
                if (p.sigmas) x += p.sigmas[row][i] * p.samples[i * p.n_samples + s];
                most = std::max(most, x);
            }
            quality += most;
        }
        quality /= static_cast<long double>(p.n_samples);
        const auto tradeoff = static_cast<double>(quality - *p.lambda[row] * cost);
        sets.push_back({set, tradeoff, cost});
        best.tradeoff = std::max(best.tradeoff, tradeoff);
    }
    std::optional<Set> winner;
    for (const Set& set : sets) {
        if (set.tradeoff < best.tradeoff - headrace::kTieTolerance) continue;
        if (!winner) {
            winner = set;
            continue;
        }
        const auto size = [](const Set& s) { return __builtin_popcount(s.models); };
        // Costs are multiples of 1/8 where they can be equal, and random elsewhere.
        const double dearer = set.cost - winner->cost;
        if (std::abs(dearer) > 1e-12) {
            if ((dearer < 0.0) == (p.ties == headrace::Ties::kCheapest)) winner = set;
        } else if (size(set) != size(*winner)) {
            if (size(set) < size(*winner)) winner = set;
        } else if (first_in_order(set.models, winner->models, k)) {
            winner = set;
        }
    }
    best.cost = winner->cost;
    best.models = winner->models;
    return best;
}

void against_enumeration(const OwnedProblem& owned) {
    const Answer exact = owned.solve("cascade_routing", "exact");
    const Answer exhaustive = owned.solve("cascade_routing", "exhaustive");
    const Answer greedy = owned.solve("cascade_routing", "greedy");
    const std::size_t k = owned.problem.n_models;
    CHECK(exact.decides_as(exhaustive));
    for (std::size_t row = 0; row < owned.problem.n_queries; ++row) {
        const Best best = enumerate(owned, row);
        unsigned chosen = 0;
        for (std::size_t i = 0; i < k; ++i) {
            if (exact.supermodel[row * k + i]) chosen |= 1U << i;
        }
        CHECK_EQUAL(chosen, best.models);
        CHECK(std::abs(exact.cost[row] - best.cost) < 1e-12);
        CHECK(exact.tradeoff[row] > best.tradeoff - 2e-9);
        CHECK(exact.upper_bound[row] >= best.tradeoff);
        CHECK(exact.upper_bound[row] < best.tradeoff + 1e-11);
        CHECK(exhaustive.upper_bound[row] >= best.tradeoff);
        CHECK(greedy.upper_bound[row] >= best.tradeoff);
        CHECK(greedy.tradeoff[row] <= exact.upper_bound[row]);
        CHECK(exact.optimal[row] && exhaustive.optimal[row]);
        CHECK(!greedy.optimal[row] || greedy.tradeoff[row] > best.tradeoff - 2e-9);
    }
}

void threads_and_limits(const OwnedProblem& owned) {
    for (const char* strategy : {"routing", "cascade", "cascade_routing", "index"}) {
        const Answer one = owned.solve(strategy, "exact", 1);
        for (const std::size_t n_threads : {2U, 7U}) {
            const Answer several = owned.solve(strategy, "exact", n_threads);
            CHECK(one.decides_as(several));
            CHECK(one.upper_bound == several.upper_bound);
        }
    }
    const Answer proven = owned.solve("cascade_routing", "exact");
    for (const bool by_time : {false, true}) {
        headrace::Problem asked = owned.problem;
        asked.time_limit = by_time ? 1e-9 : 0.0;
        asked.node_limit = by_time ? 0 : 1;
        Answer cut{asked.n_queries, asked.n_models};
        headrace::batch_select(asked, cut.view(), {});
        for (std::size_t row = 0; row < asked.n_queries; ++row) {
            CHECK(cut.upper_bound[row] >= proven.tradeoff[row]);
            CHECK(cut.tradeoff[row] <= proven.upper_bound[row]);
        }
    }
}

// Draws that were looked at before: the same to the bit, in calls of other sizes one after another.
void by_sample_matrix(const OwnedProblem& owned) {
    const headrace::Problem& p = owned.problem;
    const headrace::SampleMatrix matrix(p.samples, p.n_models, p.n_samples);
    CHECK_EQUAL(matrix.n_models(), p.n_models);
    CHECK_EQUAL(matrix.n_samples(), p.n_samples);
    headrace::Problem asked = p;
    asked.samples = nullptr;
    asked.n_samples = 1;
    asked.sample_matrix = &matrix;
    for (const char* strategy : {"cascade", "cascade_routing"}) {
        for (const std::size_t n_threads : {1U, 3U}) {
            asked.strategy = strategy;
            Answer answer{p.n_queries, p.n_models};
            headrace::batch_select(asked, answer.view(), {n_threads, {}});
            const Answer expected = owned.solve(strategy, "exact");
            CHECK(answer.decides_as(expected));
            CHECK(answer.upper_bound == expected.upper_bound);
        }
    }
}

}  // namespace

int main() {
    std::uint64_t seed = 0;
    for (const bool grid : {false, true}) {
        for (const std::size_t n_samples : {0U, 1U, 5U, 8U, 64U}) {
            for (const std::size_t k : {1U, 2U, 3U, 6U, 8U}) {
                for (int repeat = 0; repeat < 6; ++repeat) {
                    OwnedProblem owned(seed++, 5, k, n_samples, grid);
                    if (n_samples > 0 && repeat == 5) owned.correlate();
                    against_enumeration(owned);
                    if (n_samples > 0) by_sample_matrix(owned);
                }
            }
        }
    }
    threads_and_limits(OwnedProblem(1000, 600, 9, 64, false));
    threads_and_limits(OwnedProblem(1001, 600, 12, 16, true));
    by_sample_matrix(OwnedProblem(1002, 600, 9, 64, false));
    return check::report();
}
