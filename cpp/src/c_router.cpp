// The C interface: saved routers and sessions.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "c_api.hpp"
#include "headrace/router.hpp"
#include "require.hpp"

struct headrace_router {
    std::shared_ptr<const headrace::Router> shared;
};

struct headrace_session {
    headrace::Session session;
    std::size_t n_models;
};

namespace headrace::c {

namespace {

headrace_router* new_router(std::shared_ptr<const Router> router) {
    return new headrace_router{std::move(router)};
}

std::span<const double> numbers(const double* data, std::size_t n, const char* name) {
    if (n > 0) required(data, name);
    return {data, n};
}

Label group_of(const headrace_query& query) {
    const int n_given =
        (query.group != nullptr) + (query.integer_group != nullptr) + (query.real_group != nullptr);
    require(n_given <= 1, "group, integer_group and real_group exclude each other");
    if (query.group != nullptr) return std::string_view(query.group);
    if (query.integer_group != nullptr) return *query.integer_group;
    if (query.real_group != nullptr) return *query.real_group;
    return {};
}

Start start_of(const headrace_query& query, std::size_t n_models) {
    require(query.dearer <= 1, "dearer must be 0 or 1");
    require(query.reserved == 0, "reserved must be 0");
    Start start;
    start.features = numbers(query.features, query.n_features, "features");
    start.group = group_of(query);
    start.dearer = query.dearer == 1;
    start.row = query.row;
    if (query.surcharge != nullptr) start.surcharge = {query.surcharge, n_models};
    return start;
}

// Models are signed in C, as next writes them.
std::size_t model_of(std::int64_t model) {
    if (model < 0) refuse("model must not be negative, got " + std::to_string(model));
    return static_cast<std::size_t>(model);
}

}  // namespace

}  // namespace headrace::c

using namespace headrace::c;

int headrace_router_load(const char* path, headrace_router** router) noexcept {
    return guarded([&] {
        required(path, "path");
        headrace_router*& made = required(router, "router");
        made = new_router(headrace::Router::load(path));
    });
}

int headrace_router_from_bytes(const void* content, size_t n_bytes,
                               headrace_router** router) noexcept {
    return guarded([&] {
        const auto* bytes = static_cast<const unsigned char*>(content);
        if (n_bytes > 0) required(bytes, "content");
        headrace_router*& made = required(router, "router");
        made = new_router(headrace::Router::from_bytes({bytes, n_bytes}));
    });
}

void headrace_router_free(headrace_router* router) noexcept {
    delete router;
}

size_t headrace_router_n_models(const headrace_router* router) noexcept {
    return router == nullptr ? 0 : router->shared->n_models();
}

size_t headrace_router_n_features(const headrace_router* router) noexcept {
    return router == nullptr ? 0 : router->shared->n_features();
}

size_t headrace_router_n_signals(const headrace_router* router) noexcept {
    return router == nullptr ? 0 : router->shared->n_signals();
}

const char* headrace_router_model(const headrace_router* router, size_t model) noexcept {
    if (model >= headrace_router_n_models(router)) return nullptr;
    return router->shared->models()[model].c_str();
}

double headrace_router_gamma(const headrace_router* router) noexcept {
    return router == nullptr ? 0.0 : router->shared->gamma();
}

int headrace_session_new(const headrace_router* router, headrace_session** session) noexcept {
    return guarded([&] {
        const std::shared_ptr<const headrace::Router>& shared = required(router, "router").shared;
        headrace_session*& made = required(session, "session");
        made = new headrace_session{headrace::Session(shared), shared->n_models()};
    });
}

void headrace_session_free(headrace_session* session) noexcept {
    delete session;
}

int headrace_session_start(headrace_session* session, const headrace_query* query) noexcept {
    return guarded([&] {
        headrace_session& mine = required(session, "session");
        mine.session.start(start_of(known_fields(query, "query"), mine.n_models));
    });
}

int headrace_session_next(headrace_session* session, int64_t* model) noexcept {
    return guarded([&] {
        headrace::Session& mine = required(session, "session").session;
        int64_t& next = required(model, "model");
        next = mine.next_model();
    });
}

int headrace_session_observe(headrace_session* session, int64_t model, const double* signals,
                             size_t n_signals) noexcept {
    return guarded([&] {
        headrace::Session& mine = required(session, "session").session;
        mine.observe(model_of(model), numbers(signals, n_signals, "signals"));
    });
}

int headrace_session_exclude(headrace_session* session, int64_t model) noexcept {
    return guarded([&] { required(session, "session").session.exclude(model_of(model)); });
}

int headrace_session_answer(const headrace_session* session, int64_t* model) noexcept {
    return guarded([&] {
        const headrace::Session& mine = required(session, "session").session;
        int64_t& answer = required(model, "model");
        answer = static_cast<int64_t>(mine.answer());
    });
}

int headrace_session_choice(const headrace_session* session, headrace_choice* choice,
                            bool* supermodel) noexcept {
    return guarded([&] {
        const headrace::Session& mine = required(session, "session").session;
        check_size(choice, "choice");
        const headrace::Choice& made = mine.choice();
        *choice = {choice->size,     made.next_model,        made.nodes,
                   made.tradeoff,    made.quality,           made.cost,
                   made.upper_bound, made.optimal ? 1U : 0U, 0U};
        std::memset(choice + 1, 0, choice->size - sizeof *choice);  // what only the caller knows
        if (supermodel == nullptr) return;
        const auto chosen = mine.supermodel();
        std::transform(chosen.begin(), chosen.end(), supermodel, [](auto b) { return b != 0; });
    });
}

int headrace_session_estimates(const headrace_session* session, double* qualities, double* costs,
                               double* deviations) noexcept {
    return guarded([&] {
        const headrace_session& mine = required(session, "session");
        const auto room = [&](double* data, const char* name) -> std::span<double> {
            required(data, name);
            return {data, mine.n_models};
        };
        mine.session.estimates(room(qualities, "qualities"), room(costs, "costs"),
                               room(deviations, "deviations"));
    });
}
