// The restricted problems against their definitions, and what holds for every strategy.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

#include "check.hpp"
#include "problems.hpp"
#include "reservation.hpp"

namespace {

using Set = std::vector<std::size_t>;

struct Option {
    Set models;  // with all that have run, ascending
    double value = 0.0;
    double quality = 0.0;
    double cost = 0.0;
};

// One row of a problem, read in the plainest way.
struct Row {
    const headrace::Problem& p;
    std::size_t row;
    std::size_t k = p.n_models;
    Set ran = {}, waiting = {};

    Row(const headrace::Problem& problem, std::size_t index) : p(problem), row(index) {
        for (std::size_t i = 0; i < k; ++i) (has_run(i) ? ran : waiting).push_back(i);
    }
    bool has_run(std::size_t i) const { return p.ran && p.ran[row][i]; }
    double lambda() const { return *p.lambda[row]; }
    double quality(std::size_t i) const { return p.qualities[row][i]; }
    double cost(std::size_t i) const { return p.costs[row][i]; }
    double sigma(std::size_t i) const { return p.sigmas ? p.sigmas[row][i] : 0.0; }

    double draw(std::size_t i, std::size_t s) const {
        double x = quality(i);
        if (p.sigmas) x += sigma(i) * p.samples[i * p.n_samples + s];
        for (std::size_t j = 0; p.factor && j <= i; ++j) {
            x += p.factor[row][i * k + j] * p.samples[j * p.n_samples + s];
        }
        return x;
    }

    Option supermodel(const Set& models) const {
        long double total = 0.0L;
        for (std::size_t s = 0; s < p.n_samples; ++s) {
            double best = draw(models[0], s);
            for (const std::size_t i : models) best = std::max(best, draw(i, s));
            total += best;
        }
        Option option{models};
        std::vector<double> to_pay;
        for (const std::size_t i : models) {
            if (!has_run(i)) to_pay.push_back(cost(i));
        }
        std::sort(to_pay.begin(), to_pay.end());  // the contract's order of addition
        for (const double c : to_pay) option.cost += c;
        option.quality = static_cast<double>(total / static_cast<long double>(p.n_samples));
        option.value = option.quality - lambda() * option.cost;
        return option;
    }

    Set with(std::size_t i) const {
        Set models = ran;
        models.insert(std::upper_bound(models.begin(), models.end(), i), i);
        return models;
    }
    double best_ran() const {
        double best = -std::numeric_limits<double>::infinity();
        for (const std::size_t i : ran) best = std::max(best, quality(i));
        return best;
    }
};

std::vector<Option> routing(const Row& r) {
    if (!r.ran.empty()) return {{r.ran, r.best_ran(), r.best_ran(), 0.0}};
    std::vector<Option> options;
    for (const std::size_t i : r.waiting) {
        options.push_back({{i}, r.quality(i) - r.lambda() * r.cost(i), r.quality(i), r.cost(i)});
    }
    return options;
}

std::vector<Option> cascade(const Row& r) {
    std::vector<Option> options;
    if (!r.ran.empty()) options.push_back(r.supermodel(r.ran));
    Set prefix;
    for (std::size_t i = 0; i < r.k; ++i) {
        prefix.push_back(i);
        const bool holds_ran = r.ran.empty() || r.ran.back() <= i;
        if (holds_ran && prefix.size() <= r.p.max_models && prefix != r.ran) {
            options.push_back(r.supermodel(prefix));
        }
    }
    return options;
}

std::vector<Option> greedy(const Row& r) {
    std::vector<Option> options;
    if (!r.ran.empty()) options.push_back(r.supermodel(r.ran));
    for (const std::size_t i : r.waiting) {
        if (r.ran.size() + 1 > r.p.max_models) continue;
        if (r.p.fixed_order && !r.ran.empty() && i < r.ran.back()) continue;
        options.push_back(r.supermodel(r.with(i)));
    }
    return options;
}

// E[(X - level)+] by the midpoint rule, to about 1e-7 of sigma.
double excess(double quality, double sigma, double level) {
    double total = 0.0;
    constexpr double kStep = 1e-3;
    for (double z = -9.0 + 0.5 * kStep; z < 9.0; z += kStep) {
        total += std::max(quality + sigma * z - level, 0.0) * std::exp(-0.5 * z * z) * kStep;
    }
    return total * 0.3989422804014327;
}

std::vector<Option> index_policy(const Row& r) {
    std::vector<Option> options;
    const double best = r.best_ran();
    if (!r.ran.empty()) options.push_back({r.ran, best, best, 0.0});
    for (const std::size_t i : r.waiting) {
        const double price = r.lambda() * r.cost(i);
        const double value = headrace::reservation_value(r.quality(i), r.sigma(i), price);
        double quality = r.quality(i);
        if (!r.ran.empty()) quality = best + excess(quality, r.sigma(i), best);
        options.push_back({r.with(i), value, quality, r.cost(i)});
    }
    return options;
}

const Option& winner(const std::vector<Option>& options, headrace::Ties ties) {
    double best = options[0].value;
    for (const Option& option : options) best = std::max(best, option.value);
    const Option* won = nullptr;
    for (const Option& a : options) {
        if (!(a.value >= best - headrace::kTieTolerance)) continue;
        bool better = won == nullptr;
        if (!better && a.cost != won->cost) {
            better = (a.cost < won->cost) == (ties == headrace::Ties::kCheapest);
        } else if (!better && a.models.size() != won->models.size()) {
            better = a.models.size() < won->models.size();
        } else if (!better) {
            better = a.models < won->models;
        }
        if (better) won = &a;
    }
    return *won;
}

void against_definition(const OwnedProblem& owned, const char* strategy, const char* search,
                        std::vector<Option> (*list)(const Row&), double tolerance) {
    const Answer answer = owned.solve(strategy, search);
    const bool in_order = owned.problem.fixed_order || std::string(strategy) == "cascade";
    for (std::size_t row = 0; row < owned.problem.n_queries; ++row) {
        const Row r(owned.problem, row);
        const std::vector<Option> options = list(r);
        const Option& best = winner(options, owned.problem.ties);
        Set chosen;
        std::int64_t next = -1;
        for (std::size_t i = 0; i < r.k; ++i) {
            if (!answer.supermodel[row * r.k + i]) continue;
            chosen.push_back(i);
            const bool cheaper =
                next < 0 || (!in_order && r.cost(i) < r.cost(static_cast<std::size_t>(next)));
            if (!r.has_run(i) && cheaper) next = static_cast<std::int64_t>(i);
        }
        CHECK(chosen == best.models);
        CHECK_EQUAL(answer.next_model[row], next);
        CHECK_EQUAL(answer.cost[row], best.cost);
        CHECK(std::abs(answer.quality[row] - best.quality) <= tolerance);
        CHECK_EQUAL(answer.tradeoff[row], answer.quality[row] - r.lambda() * answer.cost[row]);
        for (const Option& option : options) CHECK(answer.upper_bound[row] >= option.value);
        CHECK(answer.optimal[row] || std::string(search) == "greedy");
        const bool searches =
            std::string(strategy) == "cascade_routing" && std::string(search) == "exact";
        CHECK(searches ? answer.nodes[row] >= 0 : answer.nodes[row] == 0);
    }
}

void all_strategies(OwnedProblem& owned) {
    against_definition(owned, "routing", "exact", routing, 0.0);
    against_definition(owned, "cascade", "exact", cascade, 1e-12);
    against_definition(owned, "cascade_routing", "greedy", greedy, 1e-12);
    if (owned.problem.factor) return;
    owned.problem.max_models = headrace::kMaxModels;  // the index policy has neither
    owned.problem.fixed_order = false;
    against_definition(owned, "index", "exact", index_policy, 1e-6);
}

// One row for all queries gives what as many copies of it give.
void shared_rows() {
    OwnedProblem owned(2000, 3, 5, 8, false);
    headrace::Problem shared = owned.problem;
    shared.costs.stride = 0;
    shared.lambda.stride = 0;
    Answer a{3, 5};
    headrace::batch_select(shared, a.view(), {});
    for (std::size_t i = 5; i < 15; ++i) owned.costs[i] = owned.costs[i - 5];
    owned.lambda[1] = owned.lambda[2] = owned.lambda[0];
    CHECK(a.decides_as(owned.solve("cascade_routing", "exact")));
}

// A limit leaves an admissible set, evaluated as always, and a bound that holds.
void limits() {
    for (const std::uint64_t seed : {3000U, 3001U, 3003U, 3007U}) {
        OwnedProblem owned(seed, 40, 10, 16, seed % 2 == 1);
        for (double& lambda : owned.lambda) lambda *= 0.2;
        const Answer best = owned.solve("cascade_routing", "exhaustive");
        for (const double seconds : {0.0, 1e-9}) {
            headrace::Problem asked = owned.problem;
            asked.node_limit = seconds > 0.0 ? 0 : 1;
            asked.time_limit = seconds;
            Answer cut{40, 10};
            headrace::batch_select(asked, cut.view(), {});
            for (std::size_t row = 0; row < 40; ++row) {
                const Row r(owned.problem, row);
                Set chosen;
                for (std::size_t i = 0; i < 10; ++i) {
                    if (cut.supermodel[row * 10 + i]) chosen.push_back(i);
                }
                const bool stop = chosen == r.ran;
                CHECK(!chosen.empty());
                CHECK(std::includes(chosen.begin(), chosen.end(), r.ran.begin(), r.ran.end()));
                CHECK(stop || chosen.size() <= owned.problem.max_models);
                CHECK_EQUAL(stop, cut.next_model[row] == -1);
                CHECK_EQUAL(cut.cost[row], r.supermodel(chosen).cost);
                CHECK(std::abs(cut.tradeoff[row] - r.supermodel(chosen).value) <= 1e-12);
                CHECK(cut.upper_bound[row] >= best.tradeoff[row]);
                if (cut.optimal[row]) CHECK_EQUAL(cut.tradeoff[row], best.tradeoff[row]);
            }
        }
    }
}

// A poll ends a call in the midst of its searches.
void interrupts() {
    for (const std::size_t n_threads : {1U, 4U}) {
        OwnedProblem owned(4000, 4000, 18, 8, false);  // minutes
        owned.problem.search = "exhaustive";
        owned.problem.max_models = headrace::kMaxModels;
        Answer answer{4000, 18};
        const auto begin = std::chrono::steady_clock::now();
        const headrace::Execution execution{n_threads, [] { return true; }};
        CHECK_THROWS(headrace::batch_select(owned.problem, answer.view(), execution),
                     headrace::Interrupted, "interrupted");
        CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    }
}

}  // namespace

int main() {
    std::uint64_t seed = 0;
    for (const bool grid : {false, true}) {
        for (const std::size_t n_samples : {0U, 1U, 5U, 8U, 64U}) {
            for (const std::size_t k : {1U, 2U, 5U, 9U}) {
                for (int repeat = 0; repeat < 6; ++repeat) {
                    OwnedProblem owned(seed++, 3, k, n_samples, grid);
                    if (n_samples > 0 && repeat >= 4) owned.correlate();
                    all_strategies(owned);
                }
            }
        }
    }
    shared_rows();
    limits();
    interrupts();
    return check::report();
}
