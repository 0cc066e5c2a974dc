/* What the C interface refuses, with which code and message; in C99, as its users compile it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "headrace.h"

static int failures = 0;
static int passed = 0;

static void expect(int holds, const char* text, int line) {
    if (holds) {
        ++passed;
        return;
    }
    ++failures;
    printf("line %d: %s; last error: %s\n", line, text, headrace_last_error());
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)
#define EXPECT_FAULT(call, code, text)                                                           \
    expect((call) == (code) && strstr(headrace_last_error(), (text)) != NULL, #call " -> " text, \
           __LINE__)

/* Three queries, four models, two samples. */
enum { N = 3, K = 4, S = 2 };

static const double qualities[N * K] = {.1, .2, .3, .4, .4, .3, .2, .1, .5, .5, .5, .5};
static const double costs[K] = {1, 2, 3, 4};
static const double lambda[1] = {0.01};
static const double sigmas[K] = {.1, .1, .1, .1};
static double samples[K * S];

static int64_t next_model[N], nodes[N];
static bool supermodel[N * K], optimal[N];
static double tradeoff[N], quality[N], cost[N], upper_bound[N];

static headrace_problem valid_problem(void) {
    headrace_problem problem = {
        .size = sizeof problem,
        .n_queries = N,
        .n_models = K,
        .n_samples = S,
        .qualities = qualities,
        .costs = costs,
        .lambda = lambda,
        .sigmas = sigmas,
        .samples = samples,
        .shared = HEADRACE_SHARED_COSTS | HEADRACE_SHARED_LAMBDA | HEADRACE_SHARED_SIGMAS,
    };
    return problem;
}

static headrace_selection valid_selection(void) {
    headrace_selection selection = {
        .size = sizeof selection,
        .next_model = next_model,
        .supermodel = supermodel,
        .tradeoff = tradeoff,
        .quality = quality,
        .cost = cost,
        .upper_bound = upper_bound,
        .optimal = optimal,
        .nodes = nodes,
    };
    return selection;
}

/* Spoils one field of a valid problem, and expects the message. */
#define REFUSED(change, text)                                                   \
    do {                                                                        \
        headrace_problem p = valid_problem();                                   \
        headrace_selection s = valid_selection();                               \
        change;                                                                 \
        (void)p, (void)s;                                                       \
        EXPECT_FAULT(headrace_select(&p, &s), HEADRACE_INVALID_ARGUMENT, text); \
    } while (0)

static void structs(void) {
    const headrace_problem problem = valid_problem();
    const headrace_selection selection = valid_selection();
    EXPECT_FAULT(headrace_select(NULL, &selection), HEADRACE_INVALID_ARGUMENT,
                 "problem must not be NULL");
    EXPECT_FAULT(headrace_select(&problem, NULL), HEADRACE_INVALID_ARGUMENT,
                 "selection must not be NULL");
    REFUSED(p.size = 0, "problem.size must be sizeof(headrace_problem)");
    REFUSED(p.size = sizeof p - 1, "problem.size");
    REFUSED(s.size = 8, "selection.size must be sizeof(headrace_selection)");

    /* A program of a newer header: its fields must be zero. */
    struct {
        headrace_problem known;
        size_t later;
    } newer = {.known = valid_problem(), .later = 0};
    newer.known.size = sizeof newer;
    EXPECT(headrace_select(&newer.known, &selection) == HEADRACE_OK);
    newer.later = 1;
    EXPECT_FAULT(headrace_select(&newer.known, &selection), HEADRACE_INVALID_ARGUMENT,
                 "fields of a newer headrace");
}

static void arrays(void) {
    static const double negative[K] = {1, 2, -3, 4};
    static const double unit[K * K] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static const bool all_run[N * K] = {0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0};
    double missing[N * K];
    bool garbled[N * K] = {0};
    memcpy(missing, qualities, sizeof missing);
    missing[2 * K + 1] = NAN;
    memset(garbled + K + 2, 7, 1);

    REFUSED(p.qualities = NULL, "qualities, costs and lambda are required");
    REFUSED(p.costs = NULL, "required");
    REFUSED(p.lambda = NULL, "required");
    REFUSED(s.next_model = NULL, "every array of the selection is required");
    REFUSED(s.supermodel = NULL, "selection");
    REFUSED(s.tradeoff = NULL, "selection");
    REFUSED(s.quality = NULL, "selection");
    REFUSED(s.cost = NULL, "selection");
    REFUSED(s.upper_bound = NULL, "selection");
    REFUSED(s.optimal = NULL, "selection");
    REFUSED(s.nodes = NULL, "selection");
    REFUSED(p.qualities = missing, "qualities must be finite, got nan in row 2, column 1");
    REFUSED(p.costs = negative, "costs must not be negative, got -3 in row");
    REFUSED(p.lambda = negative + 2, "lambda must not be negative");
    REFUSED(p.sigmas = negative, "sigmas must not be negative");
    REFUSED(p.samples = missing + 2 * K, "samples must be finite");
    REFUSED(p.ran = all_run, "all models of a query have run, in row 1");
    REFUSED(p.ran = garbled, "ran must be 0 or 1, got 7 in row 1, column 2");
    REFUSED((p.factor = unit, p.shared |= HEADRACE_SHARED_FACTOR), "exclude each other");
    REFUSED((p.samples = NULL, p.n_samples = 0), "sigmas and a factor need samples");
    REFUSED(p.samples = NULL, "n_samples must be 1 without samples");
    REFUSED(p.n_samples = 0, "n_samples must be at least 1");
    REFUSED(p.sigmas = NULL, "samples need sigmas or a factor");
    REFUSED((p.sigmas = NULL, p.factor = unit, p.strategy = "index",
             p.shared = HEADRACE_SHARED_COSTS | HEADRACE_SHARED_LAMBDA | HEADRACE_SHARED_FACTOR),
            "index needs independent estimates");
}

static void options(void) {
    REFUSED(p.n_models = 0, "n_models must be 1 to 4096");
    REFUSED(p.n_models = 4097, "n_models must be 1 to 4096");
    REFUSED(p.n_queries = (size_t)-1, "overflows");
    REFUSED((p.n_queries = (size_t)-1, p.ran = supermodel), "overflows");
    REFUSED(p.strategy = "rooting", "unknown strategy rooting");
    REFUSED(p.strategy = "", "unknown strategy");
    REFUSED(p.search = "exactly", "unknown search exactly");
    REFUSED(p.ties = "first", "unknown ties first");
    REFUSED(p.fixed_order = 2, "fixed_order must be 0 or 1, got 2");
    REFUSED(p.shared = 16, "shared has unknown bits, got 16");
    REFUSED(p.time_limit = -1.0, "time_limit must be finite and not negative");
    REFUSED(p.time_limit = NAN, "time_limit must be finite and not negative");
    REFUSED((p.search = "exhaustive", p.node_limit = 1), "exhaustive visits every supermodel");
    REFUSED((p.strategy = "index", p.max_models = 1), "index finds its own order");
    REFUSED((p.strategy = "index", p.fixed_order = 1), "index finds its own order");
}

static void draws(void) {
    double untouched[1] = {5.0};
    EXPECT_FAULT(headrace_samples(0, 0, 8, untouched), HEADRACE_INVALID_ARGUMENT, "n_models");
    EXPECT_FAULT(headrace_samples(0, 1, 3, untouched), HEADRACE_INVALID_ARGUMENT, "power of two");
    EXPECT_FAULT(headrace_samples(0, 1, 8, NULL), HEADRACE_INVALID_ARGUMENT, "null");
    EXPECT(untouched[0] == 5.0);
}

/* Forty models have 2^40 supermodels. */
static void too_large(void) {
    static double zeros[40];
    static bool set[40];
    headrace_problem problem = valid_problem();
    headrace_selection selection = valid_selection();
    problem.n_queries = 1;
    problem.n_models = 40;
    problem.n_samples = 0;
    problem.qualities = problem.costs = zeros;
    problem.sigmas = problem.samples = NULL;
    problem.search = "exhaustive";
    selection.supermodel = set;
    EXPECT_FAULT(headrace_select(&problem, &selection), HEADRACE_TOO_LARGE, "exact");
}

/* A message longer than its place is cut, not overrun. */
static void long_message(void) {
    char name[2000];
    headrace_problem problem = valid_problem();
    const headrace_selection selection = valid_selection();
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    problem.strategy = name;
    EXPECT_FAULT(headrace_select(&problem, &selection), HEADRACE_INVALID_ARGUMENT,
                 "unknown strategy xxx");
    EXPECT(strlen(headrace_last_error()) == 511);
}

static void what_is_valid(void) {
    headrace_problem problem = valid_problem();
    headrace_selection selection = valid_selection();
    headrace_problem none = {.size = sizeof none, .n_models = 1};
    headrace_selection nowhere = {.size = sizeof nowhere};
    EXPECT(headrace_select(&problem, &selection) == HEADRACE_OK);
    EXPECT(supermodel[next_model[0]] && upper_bound[0] >= tradeoff[0]);
    EXPECT(headrace_select(&none, &nowhere) == HEADRACE_OK);
    EXPECT(headrace_abi_version() == HEADRACE_ABI_VERSION);
    EXPECT(strchr(headrace_version(), '.') != NULL);
}

int main(void) {
    EXPECT(strcmp(headrace_last_error(), "") == 0);
    EXPECT(headrace_samples(1, K, S, samples) == HEADRACE_OK);
    structs();
    arrays();
    options();
    draws();
    too_large();
    long_message();
    what_is_valid();
    printf("%d passed, %d failed\n", passed, failures);
    return failures == 0 && passed > 0 ? 0 : 1;
}
