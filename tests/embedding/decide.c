/* decide_c CASES ANSWERS: decides the cases of a file through the C interface. */
#include <headrace.h>

#include "cases.h"

static int decide(const struct header* h, const struct problem_arrays* p, struct answer_arrays* a) {
    headrace_problem problem = {
        .size = sizeof problem,
        .n_queries = (size_t)h->n,
        .n_models = (size_t)h->k,
        .n_samples = (size_t)h->n_samples,
        .qualities = p->qualities,
        .costs = p->costs,
        .lambda = p->lambda,
        .sigmas = p->sigmas,
        .factor = p->factor,
        .ran = p->ran,
        .samples = h->n_samples > 0 ? p->samples : NULL,
        .strategy = h->strategy,
        .search = h->search,
        .ties = h->ties,
        .max_models = (size_t)h->max_models,
        .fixed_order = (uint32_t)h->fixed_order,
    };
    const headrace_selection selection = {
        .size = sizeof selection,
        .next_model = a->next_model,
        .supermodel = a->supermodel,
        .tradeoff = a->tradeoff,
        .quality = a->quality,
        .cost = a->cost,
        .upper_bound = a->upper_bound,
        .optimal = a->optimal,
        .nodes = a->nodes,
    };
    if (h->costs_rows == 1) problem.shared |= HEADRACE_SHARED_COSTS;
    if (h->lambda_rows == 1) problem.shared |= HEADRACE_SHARED_LAMBDA;
    if (h->sigmas_rows == 1) problem.shared |= HEADRACE_SHARED_SIGMAS;
    if (h->factor_rows == 1) problem.shared |= HEADRACE_SHARED_FACTOR;
    if (h->seed >= 0 && h->n_samples > 0) {
        const int code =
            headrace_samples((uint64_t)h->seed, problem.n_models, problem.n_samples, p->samples);
        if (code != HEADRACE_OK) return code;
    }
    return headrace_select(&problem, &selection);
}

int main(int argc, char** argv) {
    struct header header;
    struct problem_arrays arrays;
    FILE* cases = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE* answers = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (cases == NULL || answers == NULL) return 2;
    while (read_case(cases, &header, &arrays)) {
        struct answer_arrays answer = room_for_answers(&header);
        if (decide(&header, &arrays, &answer) != HEADRACE_OK) {
            fprintf(stderr, "%s\n", headrace_last_error());
            return 1;
        }
        write_answers(answers, &header, &answer);
    }
    printf("%s\n", headrace_version());
    return fclose(answers) == 0 ? 0 : 2;
}
