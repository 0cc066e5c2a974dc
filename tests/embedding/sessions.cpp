// sessions_cpp ROUTER SESSIONS ANSWERS: sessions of a saved router with the C++ library. Says how
// often those without failing models allocate when they come for the second time.
#include "sessions.h"

#include <algorithm>
#include <headrace/router.hpp>

#include "allocations.hpp"

namespace {

headrace::Label group_of(const session_header& h) {
    if (h.group_kind == 1) return std::string_view(h.group);
    if (h.group_kind == 2) return h.integer_group;
    if (h.group_kind == 3) return h.real_group;
    return {};
}

void serve(headrace::Session& session, const session_header& h, const session_arrays& s,
           session_answers& a) {
    const auto k = static_cast<std::size_t>(h.k);
    const auto n_signals = static_cast<std::size_t>(h.n_signals);
    headrace::Start start;
    start.features = {s.features, static_cast<std::size_t>(h.n_features)};
    start.group = group_of(h);
    start.dearer = h.dearer != 0;
    start.row = h.row;
    if (s.surcharge != nullptr) start.surcharge = {s.surcharge, k};
    session.start(start);
    for (std::int64_t next; (next = session.next_model()) != headrace::kStop;) {
        const auto model = static_cast<std::size_t>(next);
        if (s.fails[model]) {
            session.exclude(model);
        } else {
            session.observe(model, {s.signals + model * n_signals, n_signals});
            a.path[a.n_ran++] = next;
        }
    }
    a.answer = static_cast<std::int64_t>(session.answer());
    const headrace::Choice& choice = session.choice();
    const double about[] = {choice.tradeoff, choice.quality, choice.cost, choice.upper_bound};
    std::copy_n(about, 4, a.numbers);
    std::transform(session.supermodel().begin(), session.supermodel().end(), a.supermodel,
                   [](auto chosen) { return chosen != 0; });
    session.estimates({a.estimates, k}, {a.estimates + k, k}, {a.estimates + 2 * k, k});
}

}  // namespace

int main(int argc, char** argv) {
    std::FILE* sessions = argc == 4 ? std::fopen(argv[2], "rb") : nullptr;
    std::FILE* answers = argc == 4 ? std::fopen(argv[3], "wb") : nullptr;
    if (sessions == nullptr || answers == nullptr) return 2;
    const auto router = headrace::Router::load(argv[1]);
    for (const std::string& model : router->models()) std::printf("%s\n", model.c_str());
    headrace::Session session(router);
    session_header read;
    session_arrays arrays;
    while (read_session(sessions, &read, &arrays)) {
        session_answers answer = room_for_session(&read);
        serve(session, read, arrays, answer);
        write_session(answers, &read, &answer);
    }
    std::size_t allocated = 0;
    std::rewind(sessions);
    while (read_session(sessions, &read, &arrays)) {
        if (std::any_of(arrays.fails, arrays.fails + read.k, [](bool fails) { return fails; })) {
            continue;
        }
        session_answers answer = room_for_session(&read);
        const std::size_t before = n_allocations();
        serve(session, read, arrays, answer);
        allocated += n_allocations() - before;
    }
    std::printf("allocated %zu\n", allocated);
    return std::fclose(answers) == 0 ? 0 : 2;
}
