// The C interface: what all of it shares, and selections for arrays.
#include "c_api.hpp"

#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

#include "headrace/headrace.hpp"
#include "headrace/router.hpp"
#include "headrace/standard_normal.hpp"
#include "require.hpp"

namespace headrace::c {

namespace {

// Neither made nor kept by an allocation, which could fail.
thread_local char last_error[512] = "";

}  // namespace

int fail(int code, const char* message) noexcept {
    std::snprintf(last_error, sizeof last_error, "%s", message);
    return code;
}

int fail_as_caught() noexcept {
    try {
        throw;
    } catch (const RouterFileError& error) {
        return fail(HEADRACE_UNREADABLE, error.what());
    } catch (const std::system_error& error) {
        return fail(HEADRACE_IO, error.what());
    } catch (const SessionError& error) {
        return fail(HEADRACE_MISUSE, error.what());
    } catch (const std::invalid_argument& error) {
        return fail(HEADRACE_INVALID_ARGUMENT, error.what());
    } catch (const std::domain_error& error) {
        return fail(HEADRACE_TOO_LARGE, error.what());
    } catch (const std::bad_alloc&) {
        return fail(HEADRACE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::length_error&) {
        return fail(HEADRACE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& error) {
        return fail(HEADRACE_INTERNAL, error.what());
    } catch (...) {
        return fail(HEADRACE_INTERNAL, "an exception of an unknown type");
    }
}

void refuse(const std::string& message) {
    throw std::invalid_argument(message);
}

namespace {

// Rows of a width; one row where a bit says so.
Rows<double> rows(const double* data, std::size_t width, bool shared) {
    return {data, shared ? 0 : width};
}

// Bytes other than 0 and 1 are no bools; they are looked at before anything reads them as such.
Rows<bool> flags(const bool* data, std::size_t n, std::size_t k) {
    if (data == nullptr || n == 0) return {};
    const auto* bytes = reinterpret_cast<const unsigned char*>(data);
    const unsigned char* end = bytes + product(n, k);
    const unsigned char* bad = std::find_if(bytes, end, [](auto b) { return b > 1; });
    if (bad != end) {
        const auto at = static_cast<std::size_t>(bad - bytes);
        refuse("ran must be 0 or 1, got " + std::to_string(*bad) + " in row " +
               std::to_string(at / k) + ", column " + std::to_string(at % k));
    }
    return {data, k};
}

Ties ties_of(const char* name) {
    if (name == nullptr || std::strcmp(name, "cheapest") == 0) return Ties::kCheapest;
    if (std::strcmp(name, "dearest") == 0) return Ties::kDearest;
    refuse("unknown ties " + std::string(name) + ": cheapest or dearest");
}

Problem problem_of(const headrace_problem& given) {
    constexpr std::uint32_t kShared = HEADRACE_SHARED_COSTS | HEADRACE_SHARED_LAMBDA |
                                      HEADRACE_SHARED_SIGMAS | HEADRACE_SHARED_FACTOR;
    if ((given.shared & ~kShared) != 0) {
        refuse("shared has unknown bits, got " + std::to_string(given.shared));
    }
    if (given.fixed_order > 1) {
        refuse("fixed_order must be 0 or 1, got " + std::to_string(given.fixed_order));
    }
    const std::size_t n = given.n_queries;
    const std::size_t k = given.n_models;
    require(k >= 1 && k <= kMaxModels, "n_models must be 1 to 4096");
    const auto shared = [&](std::uint32_t bit) { return (given.shared & bit) != 0; };
    Problem problem;
    problem.n_queries = n;
    problem.n_models = k;
    problem.n_samples = given.samples == nullptr && given.n_samples == 0 ? 1 : given.n_samples;
    problem.qualities = rows(given.qualities, k, false);
    problem.costs = rows(given.costs, k, shared(HEADRACE_SHARED_COSTS));
    problem.lambda = rows(given.lambda, 1, shared(HEADRACE_SHARED_LAMBDA));
    problem.sigmas = rows(given.sigmas, k, shared(HEADRACE_SHARED_SIGMAS));
    problem.factor = rows(given.factor, k * k, shared(HEADRACE_SHARED_FACTOR));
    problem.ran = flags(given.ran, n, k);
    problem.samples = given.samples;
    if (given.strategy != nullptr) problem.strategy = given.strategy;
    if (given.search != nullptr) problem.search = given.search;
    if (given.max_models != 0) problem.max_models = given.max_models;
    problem.fixed_order = given.fixed_order == 1;
    problem.ties = ties_of(given.ties);
    problem.node_limit = given.node_limit;
    problem.time_limit = given.time_limit;
    return problem;
}

Selection selection_of(const headrace_selection& given) {
    return {given.next_model, given.supermodel,  given.tradeoff, given.quality,
            given.cost,       given.upper_bound, given.optimal,  given.nodes};
}

}  // namespace

}  // namespace headrace::c

using namespace headrace::c;

int headrace_abi_version(void) noexcept {
    return HEADRACE_ABI_VERSION;
}

const char* headrace_version(void) noexcept {
    return HEADRACE_VERSION;
}

const char* headrace_last_error(void) noexcept {
    return last_error;
}

int headrace_select(const headrace_problem* problem, const headrace_selection* selection) noexcept {
    return guarded([&] {
        const headrace_problem asked = known_fields(problem, "problem");
        const headrace_selection answer = known_fields(selection, "selection");
        headrace::Execution execution;
        execution.n_threads = std::max<std::size_t>(asked.n_threads, 1);
        headrace::batch_select(problem_of(asked), selection_of(answer), execution);
    });
}

int headrace_samples(uint64_t seed, size_t n_models, size_t n_samples, double* samples) noexcept {
    return guarded([&] { headrace::standard_normal_samples(seed, n_models, n_samples, samples); });
}
