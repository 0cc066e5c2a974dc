/* Sessions that tests/test_embedding.py writes, one after the other, and how they went. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "arrays.h"

struct session_header {
    int64_t k, n_features, n_signals, row, dearer;
    int64_t group_kind; /* 0: none, 1: text, 2: integer, 3: real */
    int64_t integer_group;
    double real_group;
    char group[16];
    int64_t surcharged;
};

struct session_arrays {
    double *features, *surcharge; /* (n_features), and (k) or NULL */
    double* signals;              /* (k, n_signals) of the answer that each model would give */
    bool* fails;                  /* (k) models that give none */
};

struct session_answers {
    int64_t answer, n_ran;
    int64_t* path;     /* (k), of which n_ran */
    double numbers[4]; /* tradeoff, quality, cost and bound of the last decision */
    double* estimates; /* (3, k) in the end */
    bool* supermodel;  /* (k) of the last decision */
};

static bool read_session(FILE* file, struct session_header* h, struct session_arrays* s) {
    if (fread(h, sizeof *h, 1, file) != 1) return false;
    s->features = numbers(file, h->n_features);
    s->surcharge = numbers(file, h->surcharged ? h->k : 0);
    s->signals = numbers(file, h->k * h->n_signals);
    s->fails = (bool*)taken(file, h->k, sizeof(bool));
    return true;
}

static struct session_answers room_for_session(const struct session_header* h) {
    struct session_answers a;
    a.answer = -1;
    a.n_ran = 0;
    a.path = (int64_t*)room(h->k, sizeof(int64_t));
    a.estimates = (double*)room(3 * h->k, sizeof(double));
    a.supermodel = (bool*)room(h->k, sizeof(bool));
    return a;
}

static void write_session(FILE* file, const struct session_header* h,
                          const struct session_answers* a) {
    const size_t k = (size_t)h->k;
    fwrite(&a->answer, sizeof(int64_t), 1, file);
    fwrite(&a->n_ran, sizeof(int64_t), 1, file);
    fwrite(a->path, sizeof(int64_t), k, file);
    fwrite(a->numbers, sizeof(double), 4, file);
    fwrite(a->estimates, sizeof(double), 3 * k, file);
    fwrite(a->supermodel, sizeof(bool), k, file);
}

#endif
