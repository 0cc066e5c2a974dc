// Saved routers and sessions through the C interface: codes and messages, and sessions as in C++.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "headrace.h"
#include "headrace/router.hpp"
#include "session_files.hpp"

namespace {

// The call must fail with this code and text.
#define CHECK_FAULT(call, code, text)                                                \
    do {                                                                             \
        CHECK_EQUAL(call, code);                                                     \
        const std::string said = headrace_last_error();                              \
        CHECK_EQUAL(said.find(text) == std::string::npos ? said : std::string(text), \
                    std::string(text));                                              \
    } while (false)

constexpr int kInvalid = HEADRACE_INVALID_ARGUMENT;
constexpr std::size_t kModels = 5;

headrace_router* router_of(const Content& content) {
    headrace_router* router = nullptr;
    CHECK_EQUAL(headrace_router_from_bytes(content.data(), content.size(), &router), HEADRACE_OK);
    return router;
}

headrace_session* session_of(const Content& content) {
    headrace_router* router = router_of(content);
    headrace_session* session = nullptr;
    CHECK_EQUAL(headrace_session_new(router, &session), HEADRACE_OK);
    headrace_router_free(router);  // the session keeps what it needs
    return session;
}

headrace_query query_of(const std::vector<double>& features) {
    headrace_query query{};
    query.size = sizeof query;
    query.features = features.data();
    query.n_features = features.size();
    return query;
}

RouterMaker noisy() {
    RouterMaker maker;
    maker.noisy = true;
    return maker;
}

void files() {
    headrace_router* router = nullptr;
    CHECK_FAULT(headrace_router_load(nullptr, &router), kInvalid, "path must not be NULL");
    CHECK_FAULT(headrace_router_load("x", nullptr), kInvalid, "router must not be NULL");
    CHECK_FAULT(headrace_router_load("/no such folder/x", &router), HEADRACE_IO,
                "/no such folder/x");
    CHECK_FAULT(headrace_router_load("/", &router), HEADRACE_IO, "/");
    CHECK_FAULT(headrace_router_from_bytes(nullptr, 3, &router), kInvalid, "content must not");
    CHECK_FAULT(headrace_router_from_bytes(nullptr, 0, &router), HEADRACE_UNREADABLE, "is cut");
    const Content content = noisy().content();
    CHECK_FAULT(headrace_router_from_bytes(content.data(), content.size(), nullptr), kInvalid,
                "router must not be NULL");
    for (std::size_t size = 0; size < content.size(); size += 64) {
        CHECK_FAULT(headrace_router_from_bytes(content.data(), size, &router), HEADRACE_UNREADABLE,
                    "is not a saved router that can be read");
    }
    CHECK(router == nullptr);
    headrace_router_free(nullptr);
}

void what_a_router_says() {
    headrace_router* router = router_of(noisy().content());
    CHECK_EQUAL(headrace_router_n_models(router), kModels);
    CHECK_EQUAL(headrace_router_n_features(router), 10U);
    CHECK_EQUAL(headrace_router_n_signals(router), 1U);
    CHECK_EQUAL(headrace_router_gamma(router), 0.25);
    CHECK_EQUAL(std::string(headrace_router_model(router, 4)), "model 4");
    CHECK(headrace_router_model(router, 5) == nullptr);
    headrace_router_free(router);
    CHECK_EQUAL(headrace_router_n_models(nullptr), 0U);
    CHECK_EQUAL(headrace_router_n_features(nullptr), 0U);
    CHECK_EQUAL(headrace_router_n_signals(nullptr), 0U);
    CHECK_EQUAL(headrace_router_gamma(nullptr), 0.0);
    CHECK(headrace_router_model(nullptr, 0) == nullptr);
}

void nothing_is_not_a_session() {
    headrace_session* session = nullptr;
    std::int64_t model = 7;
    headrace_choice choice{};
    const headrace_query query = query_of({});
    double numbers[kModels];
    CHECK_FAULT(headrace_session_new(nullptr, &session), kInvalid, "router must not be NULL");
    headrace_router* router = router_of(noisy().content());
    CHECK_FAULT(headrace_session_new(router, nullptr), kInvalid, "session must not be NULL");
    headrace_router_free(router);
    headrace_session_free(nullptr);
    constexpr const char* kText = "session must not be NULL";
    CHECK_FAULT(headrace_session_start(nullptr, &query), kInvalid, kText);
    CHECK_FAULT(headrace_session_next(nullptr, &model), kInvalid, kText);
    CHECK_FAULT(headrace_session_observe(nullptr, 0, numbers, 1), kInvalid, kText);
    CHECK_FAULT(headrace_session_exclude(nullptr, 0), kInvalid, kText);
    CHECK_FAULT(headrace_session_answer(nullptr, &model), kInvalid, kText);
    CHECK_FAULT(headrace_session_choice(nullptr, &choice, nullptr), kInvalid, kText);
    CHECK_FAULT(headrace_session_estimates(nullptr, numbers, numbers, numbers), kInvalid, kText);
    CHECK_EQUAL(model, 7);
}

void queries_are_checked() {
    headrace_session* session = session_of(noisy().content());
    const std::vector<double> features(10, 0.5);
    const auto refused = [&](auto&& spoil, const char* text) {
        headrace_query query = query_of(features);
        spoil(query);
        CHECK_FAULT(headrace_session_start(session, &query), kInvalid, text);
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> missing(10, nan), negative(kModels, -1.0);
    const std::int64_t number = 3;
    CHECK_FAULT(headrace_session_start(session, nullptr), kInvalid, "query must not be NULL");
    refused([](headrace_query& q) { q.size = 8; }, "query.size must be sizeof(headrace_query)");
    refused([](headrace_query& q) { q.features = nullptr; }, "features must not be NULL");
    refused([](headrace_query& q) { q.n_features = 9; }, "features must be 10 numbers, got 9");
    refused([&](headrace_query& q) { q.features = missing.data(); }, "features must be finite");
    refused([&](headrace_query& q) { q.surcharge = negative.data(); }, "surcharge must not be neg");
    refused([](headrace_query& q) { q.dearer = 2; }, "dearer must be 0 or 1");
    refused([](headrace_query& q) { q.reserved = 1; }, "reserved must be 0");
    refused(
        [&](headrace_query& q) {
            q.group = "a";
            q.integer_group = &number;
        },
        "exclude each other");
    headrace_session_free(session);

    session = session_of(RouterMaker().content());  // estimates of two rows
    headrace_query query = query_of({});
    query.row = 2;
    CHECK_FAULT(headrace_session_start(session, &query), kInvalid, "estimates of 2 rows");
    headrace_session_free(session);
}

void misuse_is_refused() {
    constexpr int kMisuse = HEADRACE_MISUSE;
    headrace_session* session = session_of(noisy().content());
    const std::vector<double> features(10, 0.5);
    const headrace_query query = query_of(features);
    const double signal = 0.5, infinite = std::numeric_limits<double>::infinity();
    double numbers[3 * kModels];
    std::int64_t model = 7, same = 7;
    headrace_choice choice{};
    choice.size = sizeof choice;
    CHECK_FAULT(headrace_session_next(session, &model), kMisuse, "call start first");
    CHECK_FAULT(headrace_session_observe(session, 0, &signal, 1), kMisuse, "call start first");
    CHECK_FAULT(headrace_session_exclude(session, 0), kMisuse, "call start first");
    CHECK_FAULT(headrace_session_answer(session, &model), kMisuse, "no model has run");
    CHECK_FAULT(headrace_session_estimates(session, numbers, numbers, numbers), kMisuse,
                "call start first");
    CHECK_EQUAL(headrace_session_start(session, &query), HEADRACE_OK);
    CHECK_FAULT(headrace_session_choice(session, &choice, nullptr), kMisuse, "nothing is decided");
    CHECK_EQUAL(model, 7);
    CHECK_FAULT(headrace_session_next(session, nullptr), kInvalid, "model must not be NULL");
    CHECK_EQUAL(headrace_session_next(session, &model), HEADRACE_OK);
    CHECK_EQUAL(headrace_session_next(session, &same), HEADRACE_OK);
    CHECK(model >= 0 && model == same);
    CHECK_EQUAL(headrace_session_choice(session, &choice, nullptr), HEADRACE_OK);
    CHECK_EQUAL(choice.next_model, model);
    CHECK_EQUAL(choice.size, sizeof choice);
    struct {
        headrace_choice known;
        double unknown[2];
    } newer;
    std::memset(&newer, 7, sizeof newer);
    newer.known.size = sizeof newer;
    CHECK_EQUAL(headrace_session_choice(session, &newer.known, nullptr), HEADRACE_OK);
    CHECK_EQUAL(newer.known.size, sizeof newer);
    CHECK_EQUAL(newer.known.next_model, model);
    CHECK(newer.unknown[0] == 0.0 && newer.unknown[1] == 0.0);
    choice.size = 8;
    CHECK_FAULT(headrace_session_choice(session, &choice, nullptr), kInvalid, "choice.size must");
    CHECK_FAULT(headrace_session_choice(session, nullptr, nullptr), kInvalid, "choice must not");
    CHECK_FAULT(headrace_session_observe(session, -1, &signal, 1), kInvalid, "negative, got -1");
    CHECK_FAULT(headrace_session_exclude(session, -1), kInvalid, "negative, got -1");
    CHECK_FAULT(headrace_session_observe(session, 5, &signal, 1), kMisuse, "there is no model 5");
    CHECK_FAULT(headrace_session_observe(session, (model + 1) % 5, &signal, 1), kMisuse,
                "was not asked for");
    CHECK_FAULT(headrace_session_observe(session, model, nullptr, 1), kInvalid, "signals must not");
    CHECK_FAULT(headrace_session_observe(session, model, nullptr, 0), kInvalid, "got 0");
    CHECK_FAULT(headrace_session_observe(session, model, &infinite, 1), kInvalid, "be finite");
    CHECK_EQUAL(headrace_session_observe(session, model, &signal, 1), HEADRACE_OK);
    CHECK_FAULT(headrace_session_observe(session, model, &signal, 1), kMisuse, "already");
    CHECK_FAULT(headrace_session_exclude(session, model), kMisuse, "has run");
    CHECK_FAULT(headrace_session_answer(session, nullptr), kInvalid, "model must not be NULL");
    CHECK_FAULT(headrace_session_estimates(session, numbers, nullptr, numbers), kInvalid,
                "costs must not be NULL");
    CHECK_EQUAL(headrace_session_answer(session, &same), HEADRACE_OK);
    CHECK_EQUAL(same, model);
    headrace_session_free(session);
}

// Every session to its end, in C and in C++; one model in five fails.
void sessions_go_as_in_cpp(const RouterMaker& maker) {
    const Content content = maker.content();
    headrace_session* session = session_of(content);
    headrace::Session expected(headrace::Router::from_bytes(content));
    for (int round = 0; round < 20; ++round) {
        std::vector<double> features(maker.noisy ? 2 * kModels : 0);
        for (std::size_t i = 0; i < features.size(); ++i) {
            features[i] = 0.1 + std::abs(std::sin(static_cast<double>(i + 17) * round));
        }
        headrace_query query = query_of(features);
        query.dearer = round % 2 == 0 ? 1 : 0;
        query.row = maker.noisy ? 0 : round % 2;
        CHECK_EQUAL(headrace_session_start(session, &query), HEADRACE_OK);
        headrace::Start start;
        start.features = features;
        start.dearer = query.dearer == 1;
        start.row = query.row;
        expected.start(start);

        std::int64_t model = 0;
        for (int step = 0; model >= 0; ++step) {
            CHECK_EQUAL(headrace_session_next(session, &model), HEADRACE_OK);
            CHECK_EQUAL(model, expected.next_model());
            headrace_choice choice{};
            choice.size = sizeof choice;
            bool supermodel[kModels];
            CHECK_EQUAL(headrace_session_choice(session, &choice, supermodel), HEADRACE_OK);
            CHECK_EQUAL(choice.tradeoff, expected.choice().tradeoff);
            CHECK_EQUAL(choice.quality, expected.choice().quality);
            CHECK_EQUAL(choice.cost, expected.choice().cost);
            CHECK_EQUAL(choice.upper_bound, expected.choice().upper_bound);
            CHECK_EQUAL(choice.nodes, expected.choice().nodes);
            CHECK_EQUAL(choice.optimal == 1, expected.choice().optimal);
            CHECK(std::equal(supermodel, supermodel + kModels, expected.supermodel().begin()));
            if (model < 0) break;
            const auto chosen = static_cast<std::size_t>(model);
            const std::vector<double> signals(maker.noisy ? 1 : 0, 0.2 * step);
            if ((round + step) % 5 == 4) {
                CHECK_EQUAL(headrace_session_exclude(session, model), HEADRACE_OK);
                expected.exclude(chosen);
            } else {
                CHECK_EQUAL(
                    headrace_session_observe(session, model, signals.data(), signals.size()),
                    HEADRACE_OK);
                expected.observe(chosen, signals);
            }
        }
        CHECK_EQUAL(headrace_session_answer(session, &model), HEADRACE_OK);
        CHECK_EQUAL(model, static_cast<std::int64_t>(expected.answer()));
        double q[kModels], c[kModels], d[kModels], eq[kModels], ec[kModels], ed[kModels];
        CHECK_EQUAL(headrace_session_estimates(session, q, c, d), HEADRACE_OK);
        expected.estimates(eq, ec, ed);
        CHECK(std::equal(q, q + kModels, eq) && std::equal(c, c + kModels, ec) &&
              std::equal(d, d + kModels, ed));
    }
    headrace_session_free(session);
}

}  // namespace

int main() {
    files();
    what_a_router_says();
    nothing_is_not_a_session();
    queries_are_checked();
    misuse_is_refused();
    for (const bool is_noisy : {false, true}) {
        for (const char* strategy :
             {"cascade_routing", "cascade", "index", "routing", "threshold_cascade"}) {
            RouterMaker maker;
            maker.noisy = is_noisy;
            maker.strategy = strategy;
            sessions_go_as_in_cpp(maker);
        }
    }
    return check::report();
}
