/* sessions_c ROUTER SESSIONS ANSWERS: sessions of a saved router through the C interface. */
#include "sessions.h"

#include <headrace.h>

static int serve(headrace_session* session, const struct session_header* h,
                 const struct session_arrays* s, struct session_answers* a) {
    const headrace_query query = {
        .size = sizeof query,
        .n_features = (size_t)h->n_features,
        .features = s->features,
        .group = h->group_kind == 1 ? h->group : NULL,
        .integer_group = h->group_kind == 2 ? &h->integer_group : NULL,
        .real_group = h->group_kind == 3 ? &h->real_group : NULL,
        .surcharge = s->surcharge,
        .row = h->row,
        .dearer = (uint32_t)h->dearer,
    };
    const size_t n_signals = (size_t)h->n_signals;
    headrace_choice choice = {.size = sizeof choice};
    int64_t model;
    int code = headrace_session_start(session, &query);
    while (code == HEADRACE_OK) {
        code = headrace_session_next(session, &model);
        if (code != HEADRACE_OK || model < 0) break;
        if (s->fails[model]) {
            code = headrace_session_exclude(session, model);
        } else {
            const double* signals = n_signals > 0 ? s->signals + (size_t)model * n_signals : NULL;
            code = headrace_session_observe(session, model, signals, n_signals);
            a->path[a->n_ran++] = model;
        }
    }
    if (code == HEADRACE_OK) code = headrace_session_answer(session, &a->answer);
    if (code == HEADRACE_OK) code = headrace_session_choice(session, &choice, a->supermodel);
    if (code == HEADRACE_OK) {
        code = headrace_session_estimates(session, a->estimates, a->estimates + h->k,
                                          a->estimates + 2 * h->k);
    }
    a->numbers[0] = choice.tradeoff;
    a->numbers[1] = choice.quality;
    a->numbers[2] = choice.cost;
    a->numbers[3] = choice.upper_bound;
    return code;
}

int main(int argc, char** argv) {
    struct session_header header;
    struct session_arrays arrays;
    headrace_router* router = NULL;
    headrace_session* session = NULL;
    FILE* sessions = argc == 4 ? fopen(argv[2], "rb") : NULL;
    FILE* answers = argc == 4 ? fopen(argv[3], "wb") : NULL;
    if (sessions == NULL || answers == NULL) return 2;
    if (headrace_router_load(argv[1], &router) != HEADRACE_OK ||
        headrace_session_new(router, &session) != HEADRACE_OK) {
        fprintf(stderr, "%s\n", headrace_last_error());
        return 1;
    }
    for (size_t i = 0; i < headrace_router_n_models(router); ++i) {
        printf("%s\n", headrace_router_model(router, i));
    }
    headrace_router_free(router); /* the session goes on */
    while (read_session(sessions, &header, &arrays)) {
        struct session_answers answer = room_for_session(&header);
        if (serve(session, &header, &arrays, &answer) != HEADRACE_OK) {
            fprintf(stderr, "%s\n", headrace_last_error());
            return 1;
        }
        write_session(answers, &header, &answer);
    }
    headrace_session_free(session);
    return fclose(answers) == 0 ? 0 : 2;
}
