// Decides a fixed batch of a named workload, for a profiler that counts instructions.
//
//   count_instructions --list        names of the workloads
//   count_instructions --compiler    what this was compiled with
//   count_instructions NAME          decides
//
// The workloads are those of benchmarks/workloads.py with a generator of its own: the numbers must
// not depend on the standard library.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "headrace/headrace.hpp"

namespace {

constexpr std::size_t kSamples = 128;
constexpr std::size_t kGroup = 10;  // near-identical models

class Random {  // splitmix64
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    double normal() {  // nearly: twelve uniform numbers
        double sum = -6.0;
        for (int i = 0; i < 12; ++i) sum += uniform();
        return sum;
    }

private:
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

struct Workload {
    std::size_t n, k;
    std::vector<double> qualities, costs, lambda, sigmas, factor;
};

Workload uniform(Random& random, std::size_t n, std::size_t k) {
    Workload w{n, k, {}, {}, {}, std::vector<double>(n * k, 0.1), {}};
    for (std::size_t i = 0; i < n * k; ++i) w.qualities.push_back(random.uniform());
    for (std::size_t i = 0; i < n * k; ++i) w.costs.push_back(random.uniform());
    for (std::size_t i = 0; i < n; ++i) w.lambda.push_back(random.uniform());
    return w;
}

Workload priced(Random& random, std::size_t n, std::size_t k) {
    Workload w{n, k, {}, {}, {}, {}, {}};
    for (std::size_t i = 0; i < n * k; ++i) {
        const double decades = random.uniform(-3.0, 0.0);
        w.qualities.push_back(0.2 + 0.6 * (decades + 3.0) / 3.0 + 0.15 * random.normal());
        w.costs.push_back(std::pow(10.0, decades));
        w.sigmas.push_back(0.3 * (0.5 + random.uniform()));
    }
    for (std::size_t i = 0; i < n; ++i) w.lambda.push_back(random.uniform());
    return w;
}

Workload clones(Random& random, std::size_t n, std::size_t k) {
    const std::size_t groups = (k + kGroup - 1) / kGroup;
    const Workload original = priced(random, n, groups);
    Workload w{n, k, {}, {}, original.lambda, {}, {}};
    for (std::size_t row = 0; row < n; ++row) {
        for (std::size_t i = 0; i < k; ++i) {
            const std::size_t from = row * groups + i / kGroup;
            w.qualities.push_back(original.qualities[from] + 0.001 * random.normal());
            w.costs.push_back(original.costs[from] * random.uniform(0.999, 1.001));
            w.sigmas.push_back(original.sigmas[from]);
        }
    }
    return w;
}

// Lower Cholesky factor of a covariance with one common factor.
Workload correlated(Random& random, std::size_t n, std::size_t k) {
    Workload w = priced(random, n, k);
    w.sigmas.clear();
    std::vector<double> sigma, loading;
    for (std::size_t i = 0; i < k; ++i) {
        sigma.push_back(0.3 * (0.5 + random.uniform()));
        loading.push_back(sigma[i] * random.uniform(0.3, 0.9));
    }
    w.factor.assign(k * k, 0.0);
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double rest = i == j ? sigma[i] * sigma[i] : loading[i] * loading[j];
            for (std::size_t l = 0; l < j; ++l) rest -= w.factor[i * k + l] * w.factor[j * k + l];
            w.factor[i * k + j] = i == j ? std::sqrt(rest) : rest / w.factor[j * k + j];
        }
    }
    return w;
}

struct Case {
    std::string_view name;
    Workload (*make)(Random&, std::size_t n, std::size_t k);
    std::size_t n, k;
    std::string_view strategy;
};

constexpr std::array kCases{
    Case{"uniform-40", uniform, 500, 40, "cascade_routing"},
    Case{"uniform-200", uniform, 100, 200, "cascade_routing"},
    Case{"uniform-500", uniform, 40, 500, "cascade_routing"},
    Case{"priced-200", priced, 20, 200, "cascade_routing"},
    Case{"clones-40", clones, 50, 40, "cascade_routing"},
    Case{"clones-200", clones, 10, 200, "cascade_routing"},
    Case{"correlated-100", correlated, 20, 100, "cascade_routing"},
    Case{"routing-200", uniform, 1000, 200, "routing"},
    Case{"index-200", uniform, 1000, 200, "index"},
};

void decide(const Case& c) {
    Random random(1);
    const Workload w = c.make(random, c.n, c.k);
    std::vector<double> samples;
    for (std::size_t i = 0; i < c.k * kSamples; ++i) samples.push_back(random.normal());

    headrace::Problem problem;
    problem.n_queries = c.n;
    problem.n_models = c.k;
    problem.qualities = {w.qualities.data(), c.k};
    problem.costs = {w.costs.data(), c.k};
    problem.lambda = {w.lambda.data(), 1};
    if (!w.sigmas.empty()) problem.sigmas = {w.sigmas.data(), c.k};
    if (!w.factor.empty()) problem.factor = {w.factor.data(), 0};
    if (c.strategy == "cascade_routing") {
        problem.samples = samples.data();
        problem.n_samples = kSamples;
    }
    problem.strategy = c.strategy;

    std::vector<std::int64_t> next_model(c.n), nodes(c.n);
    std::vector<double> tradeoff(c.n), quality(c.n), cost(c.n), upper_bound(c.n);
    const auto supermodel = std::make_unique<bool[]>(c.n * c.k);
    const auto optimal = std::make_unique<bool[]>(c.n);
    headrace::batch_select(problem,
                           {next_model.data(), supermodel.get(), tradeoff.data(), quality.data(),
                            cost.data(), upper_bound.data(), optimal.get(), nodes.data()},
                           {});
    double total = 0.0;
    for (const double value : tradeoff) total += value;
    std::int64_t visited = 0;
    for (const std::int64_t count : nodes) visited += count;
    std::printf("%s: %zu queries, tradeoff %.6f, %lld nodes, %td proven\n", c.name.data(), c.n,
                total / static_cast<double>(c.n), static_cast<long long>(visited),
                std::count(optimal.get(), optimal.get() + c.n, true));
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view asked = argc == 2 ? argv[1] : "";
    if (asked == "--compiler") {
#ifdef __clang__
        std::puts("Clang " __clang_version__);
#elif defined(__GNUC__)
        std::puts("GCC " __VERSION__);
#else
        std::puts("unknown");
#endif
        return 0;
    }
    for (const Case& c : kCases) {
        if (asked == "--list") std::puts(c.name.data());
        if (asked == c.name) {
            decide(c);
            return 0;
        }
    }
    return asked == "--list" ? 0 : 1;
}
