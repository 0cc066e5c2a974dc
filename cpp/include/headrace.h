/* Which language model runs next, or do we stop? The C interface of headrace.
 *
 * Strategies and searches are those of cascade routing (Dekoninck, Baader, Vechev, "A Unified
 * Approach to Routing and Cascading for LLMs", ICML 2025), and the index policy (Weitzman, "Optimal
 * Search for the Best Alternative", 1979).
 *
 * Shapes are written with n queries, k models and S samples. Arrays are contiguous, the last index
 * varies fastest: entry (i, j) of an array of shape (n, k) is at i * k + j.
 *
 * Ownership. Arrays and strings that are passed in belong to the caller; they are read or written
 * during the call and not kept. Strings that are returned belong to the library.
 *
 * Threads. Every function may be called from any number of threads at once. Threads that a call
 * starts end with it.
 *
 * Errors. Functions that can fail return HEADRACE_OK or one of the codes below, and
 * headrace_last_error() then says what was wrong. No C++ exception leaves the library.
 *
 * Versions. A program that was compiled with one HEADRACE_ABI_VERSION runs with every library of
 * the same headrace_abi_version(). Within one, functions, codes and fields at the end of structs
 * may be added; nothing else changes. Structs say their size, so an older library refuses what it
 * does not know, and a newer one takes the fields that an older program lacks as zero.
 */
#ifndef HEADRACE_H
#define HEADRACE_H

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#define HEADRACE_ABI_VERSION 1

#if !defined(_WIN32)
#define HEADRACE_C_API __attribute__((visibility("default")))
#elif defined(headrace_c_EXPORTS)
#define HEADRACE_C_API __declspec(dllexport)
#else
#define HEADRACE_C_API __declspec(dllimport)
#endif

#ifdef __cplusplus
#define HEADRACE_NOEXCEPT noexcept
extern "C" {
#else
#define HEADRACE_NOEXCEPT
#endif

enum {
    HEADRACE_OK = 0,
    HEADRACE_INVALID_ARGUMENT = 1, /* the message says which, what was due and what was given */
    HEADRACE_TOO_LARGE = 2,        /* search "exhaustive" would visit more than 2^20 supermodels */
    HEADRACE_OUT_OF_MEMORY = 3,
    HEADRACE_INTERNAL = 4 /* a fault of the library */
};

/* HEADRACE_ABI_VERSION of the library, and its version as "major.minor.patch". */
HEADRACE_C_API int headrace_abi_version(void) HEADRACE_NOEXCEPT;
HEADRACE_C_API const char* headrace_version(void) HEADRACE_NOEXCEPT;

/* What was wrong in the last call on this thread that failed; "" before any has. The text stays
 * until the next call on this thread that fails. Longer texts are cut at 511 bytes. */
HEADRACE_C_API const char* headrace_last_error(void) HEADRACE_NOEXCEPT;

/* Arrays of a problem of which one row serves all queries: costs (k), lambda (1), sigmas (k) and
 * factor (k, k) in place of one row for each. */
enum {
    HEADRACE_SHARED_COSTS = 1,
    HEADRACE_SHARED_LAMBDA = 2,
    HEADRACE_SHARED_SIGMAS = 4,
    HEADRACE_SHARED_FACTOR = 8
};

/* What to decide. Set size and what is needed; all else is zero:
 *
 *     headrace_problem problem = {.size = sizeof problem, .n_queries = 1, .n_models = 3};
 *
 * Given the set R of models that have run on a query, its decision is the supermodel M, a set of
 * models that contains R, with the highest tradeoff
 *
 *     E[max over M of quality] - lambda * (sum of the costs of M without R)
 *
 * and the cheapest model of M that has not run, which runs next; if M = R, stop. The expectation is
 * the mean over S samples, with the standardised draws z:
 *
 *     quality of model i in sample s = qualities_i + sigmas_i z_is,
 *                                   or qualities_i + sum over j <= i of factor_ij z_js
 *
 * and without sigmas or factor the estimates are certain. Tradeoffs within 1e-9 of the best tie.
 *
 * strategy: "cascade_routing": any M. "cascade": M is R or a prefix of the models, which run in
 * this order. "routing": one model, by its estimate alone; stop once a model has run. "index": run
 * the model with the highest reservation value r_i, E[max(X_i - r_i, 0)] = lambda costs_i with X_i
 * normal of mean qualities_i and standard deviation sigmas_i, until the best quality of R exceeds
 * them all.
 *
 * All numbers are finite and at most 1e100 in magnitude. */
typedef struct headrace_problem {
    size_t size;             /* sizeof(headrace_problem) */
    size_t n_queries;        /* n; 0 is valid */
    size_t n_models;         /* k, 1 to 4096 */
    size_t n_samples;        /* S, with samples; else 0 */
    const double* qualities; /* (n, k) estimated quality of each answer */
    const double* costs;     /* (n, k) estimated cost of each answer, not negative */
    const double* lambda;    /* (n) quality that one unit of cost must buy, not negative */
    const double* sigmas;    /* (n, k) standard deviations, not negative; or NULL */
    const double* factor;  /* (n, k, k) lower Cholesky factors of covariances, row by row; or NULL.
                              Excludes sigmas; not for "index". Entries above the diagonal are
                              not used. */
    const bool* ran;       /* (n, k) models that have run, not all of a row; NULL: none has */
    const double* samples; /* (k, S) standardised draws, one row for each model, as
                              headrace_samples makes them; for "cascade" and "cascade_routing"
                              with sigmas or factor, else NULL */
    const char* strategy;  /* as above; NULL: "cascade_routing" */
    const char* search;    /* for cascade routing; NULL: "exact", branch and bound with a
                              certificate; "greedy", at most one model more than R; "exhaustive",
                              every supermodel */
    const char* ties;      /* among ties, the lowest cost wins: "cheapest" or NULL; or the highest:
                              "dearest". Then the fewest models, then the lexicographically
                              smallest list of indices. */
    size_t max_models;     /* most models in a supermodel; 0: no limit. Not for "index". */
    size_t node_limit;     /* of the exact search of one query, 0: none; at a limit the answer is
                              the best found, with a true upper bound */
    double time_limit;     /* the same in seconds */
    size_t n_threads;      /* that share the queries; 0 and 1: the calling one alone. Does not
                              change the answers. */
    uint32_t shared;       /* HEADRACE_SHARED_... bits */
    uint32_t fixed_order;  /* 1: only models after the last one run are candidates, and the first
                              of M runs next; else 0. Not for "index". */
} headrace_problem;

/* Where the answers go: arrays of the caller, all of them required, written and never read. After a
 * call that failed their content is of no use. */
typedef struct headrace_selection {
    size_t size;         /* sizeof(headrace_selection) */
    int64_t* next_model; /* (n) index of the model to run; -1: stop, answer with what has run */
    bool* supermodel;    /* (n, k) the chosen set, with all models that have run */
    double* tradeoff;    /* (n) quality - lambda * cost */
    double* quality;     /* (n) expected quality of the best answer of the set */
    double* cost;        /* (n) still to be paid; what has run costs nothing more */
    double* upper_bound; /* (n) no admissible choice has a higher tradeoff */
    bool* optimal;       /* (n) whether the choice is proven best */
    int64_t* nodes;      /* (n) nodes that the exact search bounded; else 0 */
} headrace_selection;

/* Decides every query. Codes: all of those above. */
HEADRACE_C_API int headrace_select(const headrace_problem* problem,
                                   const headrace_selection* selection) HEADRACE_NOEXCEPT;

/* Writes standardised draws of shape (n_models, n_samples) for a problem: standard normal, spread
 * evenly over all models together (scrambled Sobol). They depend on the arguments alone, and more
 * models append rows. n_models is 1 to 4096, n_samples a power of two up to 65536; 128 are enough
 * for most. Make them once and keep them. Codes: INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_samples(uint64_t seed, size_t n_models, size_t n_samples,
                                    double* samples) HEADRACE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
