// Saved routers made for tests: a few models with linear estimates and, where wanted, covariances.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tensor_files.hpp"

// The parts of a file of a router with a PrecomputedEstimator of one row, or a NoisyEstimator.
struct RouterMaker {
    std::size_t k = 5;
    std::size_t n_samples = 32;
    std::string strategy = "cascade_routing";
    std::string search = "exact";
    bool noisy = false;  // else estimates by row, with a covariance
    double lookahead = 1.0;
    double price = 0.05;

    std::string values(const std::string& more = "") const {
        std::string models;
        for (std::size_t i = 0; i < k; ++i) {
            if (i > 0) models += ",";
            models += model(i);
        }
        const std::string point = "\"Point\",";
        std::string text =
            "{\"router.strategy\":\"" + strategy + "\",\"router.search\":\"" + search +
            "\",\"router.max_depth\":null,\"router.lookahead\":null,\"router.lambda_\":0.1,"
            "\"router.per_step\":false,\"router.seed\":0,\"router.n_threads\":null,"
            "\"router.backend\":null,\"router.n_samples\":" +
            std::to_string(n_samples) +
            ",\"fit.mixture\":\"Mixture\",\"fit.mixture.cheap\":" + point +
            "\"fit.mixture.cheap.price\":" + std::to_string(2.0 * price) +
            ",\"fit.mixture.cheap.ties\":\"cheapest\",\"fit.mixture.dear\":" + point +
            "\"fit.mixture.dear.price\":" + std::to_string(price) +
            ",\"fit.mixture.dear.ties\":\"dearest\",\"fit.mixture.gamma\":0.25,"
            "\"fit.lookahead\":" +
            std::to_string(lookahead) + ",\"fit.seconds\":null,\"fit.models\":[" + models + "],";
        if (noisy) {
            text += "\"fit.n_features\":" + std::to_string(2 * k) +
                    ",\"fit.n_signals\":1,\"estimator\":\"NoisyEstimator\",\"estimator.fuse\":true,"
                    "\"estimator.variance_as_deviation\":false,\"estimator.calibrate_on\":null,"
                    "\"estimator.n_models_\":" +
                    std::to_string(k);
        } else {
            text +=
                "\"fit.n_features\":0,\"fit.n_signals\":0,"
                "\"estimator\":\"PrecomputedEstimator\",\"estimator.qualities\":\"array\","
                "\"estimator.costs\":\"array\",\"estimator.sigmas\":null,"
                "\"estimator.covariance\":\"array\",\"estimator.post\":\"array\"";
        }
        return text + more + "}";
    }

    static std::string model(std::size_t i) {
        return std::string("\"model ") + std::to_string(i) + "\"";
    }

    std::string shape(std::size_t rows) const {
        return std::string("[") + std::to_string(rows) + "," + std::to_string(k) + "]";
    }

    // Numbers that depend on the place alone.
    std::vector<double> numbers(std::size_t n, double low, double high) const {
        std::mt19937_64 random(n + k);
        std::uniform_real_distribution<double> uniform(low, high);
        std::vector<double> found(n);
        for (double& number : found) number = uniform(random);
        return found;
    }

    FileMaker file(const std::string& given_values = "") const {
        FileMaker maker;
        maker.texts = {{"kind", "headrace router"},
                       {"format", "1"},
                       {"values", given_values.empty() ? values() : given_values}};
        std::vector<std::int64_t> order(k);
        for (std::size_t i = 0; i < k; ++i) order[i] = static_cast<std::int64_t>(k - 1 - i);
        maker.add("fit.order", std::string("[") + std::to_string(k) + "]", order);
        maker.add("fit.step_factors", "[2]", std::vector<double>{1.0, 0.5});
        const bool draws = strategy == "cascade_routing" || strategy == "cascade";
        if (draws && lookahead > 0.0) {
            std::mt19937_64 random(1);
            std::normal_distribution<double> normal;
            std::vector<double> samples(k * n_samples);
            for (double& sample : samples) sample = normal(random);
            maker.add("policy.samples",
                      std::string("[") + std::to_string(k) + "," + std::to_string(n_samples) + "]",
                      samples);
        }
        if (noisy) {
            std::vector<double> line(2 * k, 0.0), plane(3 * k, 0.0), identity(2 * k, 0.0);
            for (std::size_t i = 0; i < k; ++i) {
                line[i] = identity[i] = 1.0;
                plane[i] = plane[k + i] = 0.5;
            }
            maker.add("estimator.before_", shape(2), line);
            maker.add("estimator.after_", shape(3), plane);
            maker.add("estimator.price_", shape(2), identity);
            maker.add("estimator.deviations_", std::string("[") + std::to_string(k) + "]",
                      numbers(k, 0.1, 0.4));
            return maker;
        }
        std::vector<double> covariance(k * k, 0.02);
        for (std::size_t i = 0; i < k; ++i) covariance[i * k + i] = 0.06;
        maker.add("estimator.qualities", shape(2), numbers(2 * k, 0.0, 1.0));
        maker.add("estimator.costs", std::string("[") + std::to_string(k) + "]",
                  numbers(k, 0.1, 1.0));
        maker.add("estimator.covariance", shape(k), covariance);
        maker.add("estimator.post", shape(2), numbers(2 * k, 0.2, 0.9));
        return maker;
    }

    Content content() const { return file().content(); }
};
