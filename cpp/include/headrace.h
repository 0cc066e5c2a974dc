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
    HEADRACE_INTERNAL = 4,   /* a fault of the library */
    HEADRACE_UNREADABLE = 5, /* no router can be made of a file; the message says why */
    HEADRACE_IO = 6,         /* the system could not read a file */
    HEADRACE_MISUSE = 7      /* a session was asked for what it does not offer now */
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

/* A router that was fitted and saved. Immutable: any number of threads use one at a time.
 *
 * Models are numbered in the order of the log that it was fitted on. */
typedef struct headrace_router headrace_router;

/* Reads a saved router; the path is as for fopen. The second does the same for the content of a
 * file, which is not kept. On failure *router is as it was. Codes: INVALID_ARGUMENT, UNREADABLE,
 * IO, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_router_load(const char* path,
                                        headrace_router** router) HEADRACE_NOEXCEPT;
HEADRACE_C_API int headrace_router_from_bytes(const void* content, size_t n_bytes,
                                              headrace_router** router) HEADRACE_NOEXCEPT;

/* Sessions of a router stay valid without it. NULL is valid and does nothing. */
HEADRACE_C_API void headrace_router_free(headrace_router* router) HEADRACE_NOEXCEPT;

/* The number of models k, of features of a query, and of signals of an answer; 0 for NULL. */
HEADRACE_C_API size_t headrace_router_n_models(const headrace_router* router) HEADRACE_NOEXCEPT;
HEADRACE_C_API size_t headrace_router_n_features(const headrace_router* router) HEADRACE_NOEXCEPT;
HEADRACE_C_API size_t headrace_router_n_signals(const headrace_router* router) HEADRACE_NOEXCEPT;

/* The name of a model, UTF-8, as long as the router lives; NULL where there is none. */
HEADRACE_C_API const char* headrace_router_model(const headrace_router* router,
                                                 size_t model) HEADRACE_NOEXCEPT;

/* The share of queries that are to start with dearer = 0, so that the budget is spent exactly. */
HEADRACE_C_API double headrace_router_gamma(const headrace_router* router) HEADRACE_NOEXCEPT;

/* What is known of a query before any model runs. Set size and what is needed; all else is zero. */
typedef struct headrace_query {
    size_t size;                  /* sizeof(headrace_query) */
    size_t n_features;            /* of the router */
    const double* features;       /* (n_features), finite */
    const char* group;            /* label of the query's group in UTF-8, */
    const int64_t* integer_group; /* or a number; */
    const double* real_group;     /* NULL: none. One of the three at the most. */
    const double* surcharge; /* (k) added to the expected cost of each model, not negative, such
                                as the price of its time; NULL: none */
    int64_t row;             /* of the log, where the router's estimates are by row */
    uint32_t dearer;         /* 1: the dearer of the two policies of a router; else 0 */
    uint32_t reserved;       /* 0 */
} headrace_query;

/* One query from its start to its answer. Belongs to one thread at a time. It may be started again
 * and again, and then allocates nothing once it is warm: when as many threads as decide now have
 * decided with its router before, and with covariances, on the same sets of models that have run.
 * Excluded models, and messages of faults, do allocate.
 *
 *     headrace_session_start(session, &query);
 *     while (headrace_session_next(session, &model) == HEADRACE_OK && model >= 0) {
 *         ... run the model; where it fails: headrace_session_exclude(session, model); else
 *         headrace_session_observe(session, model, signals, n_signals);
 *     }
 *     headrace_session_answer(session, &model);
 *
 * After a call that failed the session and what it would have written are as they were. */
typedef struct headrace_session headrace_session;

/* Codes: INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_new(const headrace_router* router,
                                        headrace_session** session) HEADRACE_NOEXCEPT;

/* NULL is valid and does nothing. */
HEADRACE_C_API void headrace_session_free(headrace_session* session) HEADRACE_NOEXCEPT;

/* Begins with a query, whatever was before. Codes: INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_start(headrace_session* session,
                                          const headrace_query* query) HEADRACE_NOEXCEPT;

/* Writes the model to run next; -1: stop. The same until something new is known. Codes: MISUSE
 * before start; INVALID_ARGUMENT, TOO_LARGE, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_next(headrace_session* session,
                                         int64_t* model) HEADRACE_NOEXCEPT;

/* Tells what the model that is to run next was answered with: n_signals finite numbers. Codes:
 * MISUSE for another model, INVALID_ARGUMENT for other signals, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_observe(headrace_session* session, int64_t model,
                                            const double* signals,
                                            size_t n_signals) HEADRACE_NOEXCEPT;

/* Takes out a model that has not run, because it failed or is not to be used. Codes: MISUSE if it
 * has run or is out already; INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_exclude(headrace_session* session,
                                            int64_t model) HEADRACE_NOEXCEPT;

/* Writes the model whose answer to give: the best of those that have run, at any time. Codes:
 * MISUSE if none has; INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_answer(const headrace_session* session,
                                           int64_t* model) HEADRACE_NOEXCEPT;

/* Why the last decision is what it is; as in a selection, for one query. */
typedef struct headrace_choice {
    size_t size; /* sizeof(headrace_choice), set by the caller; all the rest of it is written,
                    fields that an older library does not know as zero */
    int64_t next_model; /* -1: stop */
    int64_t nodes;      /* that the exact search bounded; else 0 */
    double tradeoff;
    double quality; /* expected, of the best answer of the supermodel */
    double cost;    /* still to be paid for it */
    double upper_bound;
    uint32_t optimal; /* 1: the choice is proven best; else 0 */
    uint32_t reserved;
} headrace_choice;

/* Writes the last decision, and its supermodel (k), which may be NULL. Codes: MISUSE before
 * headrace_session_next on what is known now; INVALID_ARGUMENT. */
HEADRACE_C_API int headrace_session_choice(const headrace_session* session, headrace_choice* choice,
                                           bool* supermodel) HEADRACE_NOEXCEPT;

/* Writes what is expected now of each model, (k) each: its quality, its cost with the surcharge,
 * and the standard deviation of the change of quality that its run will bring. Codes: MISUSE before
 * start; INVALID_ARGUMENT, OUT_OF_MEMORY. */
HEADRACE_C_API int headrace_session_estimates(const headrace_session* session, double* qualities,
                                              double* costs, double* deviations) HEADRACE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
