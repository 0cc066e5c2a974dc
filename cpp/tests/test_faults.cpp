// What the library refuses before any work, and what is empty but valid.
#include <functional>
#include <limits>

#include "check.hpp"
#include "problems.hpp"

namespace {

void refused(const std::function<void(headrace::Problem&, headrace::Selection&)>& spoil,
             const char* message) {
    OwnedProblem owned(0, 3, 4, 8, false);
    Answer answer{3, 4};
    headrace::Selection view = answer.view();
    spoil(owned.problem, view);
    CHECK_THROWS(headrace::batch_select(owned.problem, view, {}), std::invalid_argument, message);
    CHECK_EQUAL(answer.next_model[0], -7);
}

}  // namespace

int main() {
    using headrace::Problem;
    using headrace::Selection;
    constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max() / 4;

    refused([](Problem& p, Selection&) { p.n_models = 0; }, "n_models");
    refused([](Problem& p, Selection&) { p.n_models = 4097; }, "n_models");
    refused([](Problem& p, Selection&) { p.n_samples = 0; }, "n_samples");
    refused([](Problem& p, Selection&) { p.max_models = 0; }, "max_models");
    refused([](Problem& p, Selection&) { p.n_queries = kHuge; }, "overflows");
    refused([](Problem& p, Selection&) { p.n_samples = kHuge; }, "overflows");
    refused([](Problem& p, Selection&) { p.qualities = {}; }, "required");
    refused([](Problem& p, Selection&) { p.costs = {}; }, "required");
    refused([](Problem& p, Selection&) { p.lambda = {}; }, "required");
    refused([](Problem& p, Selection&) { p.factor = p.sigmas; }, "exclude");
    refused([](Problem& p, Selection&) { p.sigmas = {}; }, "samples need");
    refused([](Problem& p, Selection&) { p.samples = nullptr; }, "n_samples must be 1");
    const std::vector<double> draws(5 * 8);
    const headrace::SampleMatrix of_four(draws.data(), 4, 8);
    const headrace::SampleMatrix of_five(draws.data(), 5, 8);
    refused([&](Problem& p, Selection&) { p.sample_matrix = &of_four; }, "excludes samples");
    refused(
        [&](Problem& p, Selection&) {
            p.samples = nullptr;
            p.sample_matrix = &of_four;
        },
        "excludes samples and n_samples");
    const auto give = [](Problem& p, const headrace::SampleMatrix& matrix) {
        p.samples = nullptr;
        p.n_samples = 1;
        p.sample_matrix = &matrix;
    };
    refused([&](Problem& p, Selection&) { give(p, of_five); }, "of other models");
    refused(
        [&](Problem& p, Selection&) {
            give(p, of_four);
            p.sigmas = {};
        },
        "samples need");
    const auto matrix_of = [](const double* samples, std::size_t n_models, std::size_t n_samples) {
        headrace::SampleMatrix(samples, n_models, n_samples);
    };
    CHECK_THROWS(matrix_of(nullptr, 4, 8), std::invalid_argument, "required");
    CHECK_THROWS(matrix_of(draws.data(), 0, 8), std::invalid_argument, "n_models");
    CHECK_THROWS(matrix_of(draws.data(), 4097, 8), std::invalid_argument, "n_models");
    CHECK_THROWS(matrix_of(draws.data(), 4, 0), std::invalid_argument, "n_samples");
    CHECK_THROWS(matrix_of(draws.data(), 4, kHuge), std::invalid_argument, "overflows");
    const double faulty[4] = {0.0, 1.0, std::numeric_limits<double>::infinity(), 1.0};
    CHECK_THROWS(matrix_of(faulty, 2, 2), std::invalid_argument,
                 "samples must be finite, got inf in row 1, column 0");
    refused([](Problem&, Selection& s) { s.next_model = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.supermodel = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.tradeoff = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.quality = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.cost = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.upper_bound = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.optimal = nullptr; }, "selection");
    refused([](Problem&, Selection& s) { s.nodes = nullptr; }, "selection");
    refused([](Problem& p, Selection&) { p.strategy = "rooting"; }, "unknown strategy rooting");
    refused([](Problem& p, Selection&) { p.search = "exactly"; }, "unknown search exactly");
    // Numbers, with their place; those that serve all queries count as of row 0.
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double negative[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, 1};
    const double missing[12] = {1, 1, 1, 1, 1, 1, 1, 1, nan, 1, 1, 1};
    const double huge[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1e101};
    for (const char* strategy : {"routing", "index", "cascade", "cascade_routing"}) {
        const auto bad = [&](headrace::Rows<double> Problem::* array, headrace::Rows<double> rows,
                             const char* message) {
            OwnedProblem owned(0, 3, 4, 8, false);
            owned.problem.*array = rows;
            CHECK_THROWS(owned.solve(strategy, "exact"), std::invalid_argument, message);
        };
        bad(&Problem::qualities, {missing, 4}, "qualities must be finite, got nan in row 2, col");
        bad(&Problem::costs, {negative, 4}, "costs must not be negative");
        bad(&Problem::costs, {negative + 8, 0}, "in row 0, column 2");
        bad(&Problem::costs, {huge, 4}, "costs must not exceed 1e+100 in magnitude");
        bad(&Problem::lambda, {negative + 8, 1}, "lambda must not be negative");
        bad(&Problem::sigmas, {negative, 4}, "sigmas must not be negative");
        bad(&Problem::sigmas, {missing + 8, 0}, "sigmas must be finite");
    }

    const bool all_run[4] = {true, true, true, true};
    refused([&](Problem& p, Selection&) { p.ran = {all_run, 0}; }, "all models");
    const bool last_run[12] = {false, true,  true, true, false, false,
                               false, false, true, true, true,  true};
    refused([&](Problem& p, Selection&) { p.ran = {last_run, 4}; }, "all models");

    OwnedProblem large(0, 1, 60, 8, false);
    CHECK_THROWS(large.solve("cascade_routing", "exhaustive"), std::domain_error, "exact");
    OwnedProblem several(0, 600, 60, 64, false);  // enough for helpers to start
    CHECK_THROWS(several.solve("cascade_routing", "exhaustive", 4), std::domain_error, "exact");
    OwnedProblem largest(0, 1, headrace::kMaxModels, 0, false);
    largest.problem.max_models = 2;
    CHECK_THROWS(largest.solve("cascade_routing", "exhaustive"), std::domain_error, "exact");
    largest.problem.max_models = 1;
    CHECK(largest.solve("cascade_routing", "exhaustive")
              .decides_as(largest.solve("cascade_routing", "exact")));

    OwnedProblem none(0, 3, 4, 8, false);
    none.problem.n_queries = 0;
    for (const char* strategy : {"routing", "cascade", "cascade_routing", "index"}) {
        for (const char* search : {"exact", "greedy", "exhaustive"}) {
            CHECK_EQUAL(none.solve(strategy, search).next_model.size(), 0U);
        }
    }
    return check::report();
}
