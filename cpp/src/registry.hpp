// The strategies and searches by name. A new one is one file and one row in registry.cpp.
#pragma once

#include <memory>
#include <string_view>

#include "control.hpp"
#include "decision.hpp"
#include "query.hpp"
#include "streamer.hpp"

namespace headrace {

// Decides queries by their draws, one after the other, on one thread; keeps its memory between
// them.
class Decider {
public:
    Decider() = default;
    Decider(const Decider&) = delete;
    Decider& operator=(const Decider&) = delete;
    virtual ~Decider() = default;

    // What E[max] needs.
    virtual Draws draws() const { return Draws::kAll; }

    // Models run in the order of their indices.
    virtual bool in_order() const { return false; }

    virtual void decide(const Query& query, Decision& decision, Control& control) = 0;

    // The same decision, of the row that was decided last, at another price: a search may start
    // from what it found.
    virtual void decide_again(const Query& query, Decision& decision, Control& control) {
        decide(query, decision, control);
    }
};

// How a strategy decides: one of the two is set.
struct Method {
    std::unique_ptr<Decider> (*make_decider)() = nullptr;
    std::unique_ptr<Streamer> (*make_streamer)(const Problem&, const Selection&) = nullptr;
};

// Throws std::invalid_argument for names that nothing is registered under.
Method find_method(std::string_view strategy, std::string_view search);

// One factory a file.
std::unique_ptr<Streamer> make_routing(const Problem& problem, const Selection& selection);
std::unique_ptr<Streamer> make_index(const Problem& problem, const Selection& selection);
std::unique_ptr<Streamer> make_reveal_index(const Problem& problem, const Selection& selection);
std::unique_ptr<Decider> make_cascade();
std::unique_ptr<Decider> make_exact();
std::unique_ptr<Decider> make_greedy();
std::unique_ptr<Decider> make_exhaustive();

}  // namespace headrace
