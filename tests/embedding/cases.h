/* Cases that tests/test_embedding.py writes, one after the other, and what is decided of them. */
#ifndef CASES_H
#define CASES_H

#include "arrays.h"

struct header {
    char strategy[16], search[16], ties[16];
    int64_t n, k, n_samples, max_models, fixed_order;
    int64_t seed;                               /* of draws to make; -1: they follow */
    int64_t costs_rows, lambda_rows;            /* 1 or n */
    int64_t sigmas_rows, factor_rows, ran_rows; /* 1 or n; 0: none */
};

struct problem_arrays {
    double *qualities, *costs, *lambda, *sigmas, *factor, *samples;
    bool* ran;
};

struct answer_arrays {
    int64_t *next_model, *nodes;
    double *tradeoff, *quality, *cost, *upper_bound;
    bool *supermodel, *optimal;
};

/* Whether there was a case. */
static bool read_case(FILE* file, struct header* h, struct problem_arrays* p) {
    if (fread(h, sizeof *h, 1, file) != 1) return false;
    p->qualities = numbers(file, h->n * h->k);
    p->costs = numbers(file, h->costs_rows * h->k);
    p->lambda = numbers(file, h->lambda_rows);
    p->sigmas = numbers(file, h->sigmas_rows * h->k);
    p->factor = numbers(file, h->factor_rows * h->k * h->k);
    p->ran = (bool*)taken(file, h->ran_rows * h->k, sizeof(bool));
    p->samples = h->seed < 0 ? numbers(file, h->k * h->n_samples)
                             : (double*)room(h->k * h->n_samples, sizeof(double));
    return true;
}

static struct answer_arrays room_for_answers(const struct header* h) {
    struct answer_arrays a;
    a.next_model = (int64_t*)room(h->n, sizeof(int64_t));
    a.nodes = (int64_t*)room(h->n, sizeof(int64_t));
    a.tradeoff = (double*)room(h->n, sizeof(double));
    a.quality = (double*)room(h->n, sizeof(double));
    a.cost = (double*)room(h->n, sizeof(double));
    a.upper_bound = (double*)room(h->n, sizeof(double));
    a.supermodel = (bool*)room(h->n * h->k, sizeof(bool));
    a.optimal = (bool*)room(h->n, sizeof(bool));
    return a;
}

static void write_answers(FILE* file, const struct header* h, const struct answer_arrays* a) {
    const size_t n = (size_t)h->n;
    fwrite(a->next_model, sizeof(int64_t), n, file);
    fwrite(a->nodes, sizeof(int64_t), n, file);
    fwrite(a->tradeoff, sizeof(double), n, file);
    fwrite(a->quality, sizeof(double), n, file);
    fwrite(a->cost, sizeof(double), n, file);
    fwrite(a->upper_bound, sizeof(double), n, file);
    fwrite(a->supermodel, sizeof(bool), n * (size_t)h->k, file);
    fwrite(a->optimal, sizeof(bool), n, file);
}

#endif
