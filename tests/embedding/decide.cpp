// decide_cpp CASES ANSWERS: decides the cases of a file with the C++ library.
#include <headrace/headrace.hpp>
#include <headrace/standard_normal.hpp>
#include <optional>

#include "cases.h"

namespace {

// One row serves all queries, or each has its own.
template <class T>
headrace::Rows<T> rows(const T* data, std::int64_t n_rows, std::size_t width) {
    return {data, n_rows == 1 ? 0 : width};
}

void decide(const header& h, const problem_arrays& p, const answer_arrays& a) {
    headrace::Problem problem;
    const auto k = static_cast<std::size_t>(h.k);
    problem.n_queries = static_cast<std::size_t>(h.n);
    problem.n_models = k;
    problem.qualities = {p.qualities, k};
    problem.costs = rows(p.costs, h.costs_rows, k);
    problem.lambda = rows(p.lambda, h.lambda_rows, 1);
    problem.sigmas = rows(p.sigmas, h.sigmas_rows, k);
    problem.factor = rows(p.factor, h.factor_rows, k * k);
    problem.ran = {p.ran, k};
    std::optional<headrace::SampleMatrix> drawn;
    const auto n_samples = static_cast<std::size_t>(h.n_samples);
    if (h.n_samples > 0 && h.seed < 0) {
        problem.n_samples = n_samples;
        problem.samples = p.samples;
    } else if (h.n_samples > 0) {
        headrace::standard_normal_samples(static_cast<std::uint64_t>(h.seed), k, n_samples,
                                          p.samples);
        problem.sample_matrix = &drawn.emplace(p.samples, k, n_samples);
    }
    problem.strategy = h.strategy;
    problem.search = h.search;
    if (h.max_models > 0) problem.max_models = static_cast<std::size_t>(h.max_models);
    problem.fixed_order = h.fixed_order != 0;
    if (h.ties[0] == 'd') problem.ties = headrace::Ties::kDearest;
    headrace::batch_select(problem,
                           {a.next_model, a.supermodel, a.tradeoff, a.quality, a.cost,
                            a.upper_bound, a.optimal, a.nodes},
                           {});
}

}  // namespace

int main(int argc, char** argv) {
    std::FILE* cases = argc == 3 ? std::fopen(argv[1], "rb") : nullptr;
    std::FILE* answers = argc == 3 ? std::fopen(argv[2], "wb") : nullptr;
    if (cases == nullptr || answers == nullptr) return 2;
    header read;
    problem_arrays arrays;
    while (read_case(cases, &read, &arrays)) {
        const answer_arrays answer = room_for_answers(&read);
        decide(read, arrays, answer);
        write_answers(answers, &read, &answer);
    }
    return std::fclose(answers) == 0 ? 0 : 2;
}
