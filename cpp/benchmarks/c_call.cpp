// What a call through the C interface costs over the same call of the C++ library: one query of 50
// models, both in turn in one run. Exits with 1 if their answers differ.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <random>
#include <string_view>
#include <vector>

#include "headrace.h"
#include "headrace/headrace.hpp"
#include "headrace/standard_normal.hpp"

namespace {

constexpr std::size_t kModels = 50;
constexpr std::size_t kSamples = 128;
constexpr std::size_t kQueries = 200;
constexpr std::size_t kRounds = 51;

struct Query {
    std::array<double, kModels> qualities, costs;
    double lambda;
};

struct Answer {
    std::int64_t next_model = 0, nodes = 0;
    std::array<bool, kModels> supermodel{};
    double tradeoff = 0.0, quality = 0.0, cost = 0.0, upper_bound = 0.0;
    bool optimal = false;

    bool operator==(const Answer&) const = default;
};

struct Workload {
    const char* strategy;
    std::vector<Query> queries;
    std::array<double, kModels> sigmas;
    std::vector<double> samples;  // where the strategy takes draws
};

Answer decide(const Workload& w, const Query& query) {
    headrace::Problem problem;
    problem.n_queries = 1;
    problem.n_models = kModels;
    problem.qualities = {query.qualities.data(), kModels};
    problem.costs = {query.costs.data(), kModels};
    problem.lambda = {&query.lambda, 1};
    problem.sigmas = {w.sigmas.data(), kModels};
    if (!w.samples.empty()) {
        problem.samples = w.samples.data();
        problem.n_samples = kSamples;
    }
    problem.strategy = w.strategy;
    Answer a;
    headrace::batch_select(problem,
                           {&a.next_model, a.supermodel.data(), &a.tradeoff, &a.quality, &a.cost,
                            &a.upper_bound, &a.optimal, &a.nodes},
                           {});
    return a;
}

Answer decide_in_c(const Workload& w, const Query& query) {
    headrace_problem problem{};
    problem.size = sizeof problem;
    problem.n_queries = 1;
    problem.n_models = kModels;
    problem.qualities = query.qualities.data();
    problem.costs = query.costs.data();
    problem.lambda = &query.lambda;
    problem.sigmas = w.sigmas.data();
    if (!w.samples.empty()) {
        problem.samples = w.samples.data();
        problem.n_samples = kSamples;
    }
    problem.strategy = w.strategy;
    Answer a;
    const headrace_selection selection = {sizeof selection, &a.next_model, a.supermodel.data(),
                                          &a.tradeoff,      &a.quality,    &a.cost,
                                          &a.upper_bound,   &a.optimal,    &a.nodes};
    if (headrace_select(&problem, &selection) != HEADRACE_OK) std::puts(headrace_last_error());
    return a;
}

using Call = Answer (*)(const Workload&, const Query&);

// Microseconds a call.
double time_of(Call call, const Workload& w) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    for (const Query& query : w.queries) call(w, query);
    const std::chrono::duration<double, std::micro> spent = Clock::now() - begin;
    return spent.count() / static_cast<double>(w.queries.size());
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

bool answers_differ(const Workload& w) {
    return std::any_of(w.queries.begin(), w.queries.end(), [&](const Query& query) {
        return decide(w, query) != decide_in_c(w, query);
    });
}

void compare(const Workload& w) {
    std::vector<double> direct, through, over;
    for (std::size_t round = 0; round < kRounds; ++round) {
        const bool direct_first = round % 2 == 0;  // what comes second finds the caches warm
        if (direct_first) direct.push_back(time_of(decide, w));
        through.push_back(time_of(decide_in_c, w));
        if (!direct_first) direct.push_back(time_of(decide, w));
        over.push_back(through.back() - direct.back());
    }
    std::printf("%-16s %8.3f %8.3f %+8.3f %8.3f\n", w.strategy, median(direct), median(through),
                median(over), median(through) / median(direct));
}

}  // namespace

int main() {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    std::printf("one query of %zu models, medians in microseconds\n", kModels);
    std::printf("%-16s %8s %8s %8s %8s\n", "strategy", "C++", "C", "C - C++", "C / C++");
    for (const char* strategy : {"routing", "index", "cascade", "cascade_routing"}) {
        Workload w{strategy, std::vector<Query>(kQueries), {}, {}};
        for (Query& query : w.queries) {
            for (double& quality : query.qualities) quality = uniform(random);
            for (double& cost : query.costs) cost = uniform(random);
            query.lambda = uniform(random);
        }
        w.sigmas.fill(0.1);
        if (std::string_view(strategy).starts_with("cascade")) {
            w.samples.resize(kModels * kSamples);
            headrace::standard_normal_samples(0, kModels, kSamples, w.samples.data());
        }
        if (answers_differ(w)) {
            std::printf("%s: the answers differ\n", strategy);
            return 1;
        }
        compare(w);
    }
    return 0;
}
