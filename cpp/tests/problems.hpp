// Random problems that own their arrays.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "headrace/headrace.hpp"

struct Answer {
    std::size_t n, k;
    std::vector<std::int64_t> next_model = std::vector<std::int64_t>(n, -7);
    std::unique_ptr<bool[]> supermodel = std::make_unique<bool[]>(n * k);
    std::vector<double> tradeoff = std::vector<double>(n), quality = tradeoff, cost = tradeoff,
                        upper_bound = tradeoff;
    std::unique_ptr<bool[]> optimal = std::make_unique<bool[]>(n);
    std::vector<std::int64_t> nodes = std::vector<std::int64_t>(n, -7);

    headrace::Selection view() {
        return {next_model.data(), supermodel.get(),   tradeoff.data(), quality.data(),
                cost.data(),       upper_bound.data(), optimal.get(),   nodes.data()};
    }
    bool decides_as(const Answer& other) const {
        for (std::size_t i = 0; i < n * k; ++i) {
            if (supermodel[i] != other.supermodel[i]) return false;
        }
        return next_model == other.next_model && tradeoff == other.tradeoff &&
               quality == other.quality && cost == other.cost;
    }
};

struct OwnedProblem {
    std::vector<double> qualities, costs, lambda, sigmas, factor, samples;
    std::unique_ptr<bool[]> ran;
    headrace::Problem problem;

    // On a grid of eighths everything ties often; else nothing does.
    OwnedProblem(std::uint64_t seed, std::size_t n, std::size_t k, std::size_t n_samples,
                 bool grid) {
        std::mt19937_64 random(seed);
        std::uniform_real_distribution<double> uniform(0.0, 1.0);
        std::normal_distribution<double> normal;
        const auto number = [&] {
            const double drawn = uniform(random);
            return grid ? static_cast<double>(static_cast<int>(drawn * 8.0)) / 8.0 : drawn;
        };
        for (std::size_t i = 0; i < n * k; ++i) qualities.push_back(number());
        for (std::size_t i = 0; i < n * k; ++i) costs.push_back(number());
        for (std::size_t i = 0; i < n; ++i) lambda.push_back(number());
        problem.n_queries = n;
        problem.n_models = k;
        problem.qualities = {qualities.data(), k};
        problem.costs = {costs.data(), k};
        problem.lambda = {lambda.data(), 1};
        if (n_samples > 0) {
            for (std::size_t i = 0; i < k; ++i) sigmas.push_back(0.5 * number());
            for (std::size_t i = 0; i < k * n_samples; ++i) samples.push_back(normal(random));
            if (grid && k > 1) {  // two models that are one
                std::copy_n(samples.begin(), n_samples,
                            samples.begin() + static_cast<std::ptrdiff_t>(n_samples));
                sigmas[1] = sigmas[0];
            }
            problem.samples = samples.data();
            problem.n_samples = n_samples;
            problem.sigmas = {sigmas.data(), 0};
        }
        if (seed % 2 == 1 && k > 1) {
            ran = std::make_unique<bool[]>(n * k);
            for (std::size_t i = 0; i < n * k; ++i) ran[i] = i % k != 0 && uniform(random) < 0.4;
            problem.ran = {ran.get(), k};
        }
        if (seed % 3 == 1) problem.max_models = 1 + seed % k;
        problem.fixed_order = seed % 5 == 1;
        if (seed % 4 >= 2) problem.ties = headrace::Ties::kDearest;
    }

    // A lower triangle in place of the standard deviations.
    void correlate() {
        const std::size_t k = problem.n_models;
        factor.assign(k * k, 0.0);
        for (std::size_t i = 0; i < k; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                factor[i * k + j] = (i == j ? 0.3 : 0.1) * static_cast<double>((i + j) % 3);
            }
        }
        problem.sigmas = {};
        problem.factor = {factor.data(), 0};
    }

    Answer solve(const char* strategy, const char* search, std::size_t n_threads = 1) const {
        headrace::Problem asked = problem;
        asked.strategy = strategy;
        asked.search = search;
        if (asked.strategy == "index") {  // which has neither
            asked.max_models = headrace::kMaxModels;
            asked.fixed_order = false;
        }
        Answer answer{problem.n_queries, problem.n_models};
        headrace::batch_select(asked, answer.view(), {n_threads, {}});
        return answer;
    }
};
