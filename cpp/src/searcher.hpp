// What searches by draws, row by row, on one thread: a decider with the memory that it needs.
#pragma once

#include <cstddef>
#include <memory>

#include "control.hpp"
#include "decision.hpp"
#include "query.hpp"
#include "registry.hpp"
#include "write_decision.hpp"

namespace headrace {

class Searcher {
public:
    // The method has a decider. The problem and the draws outlive the searcher.
    Searcher(const Problem& problem, const Samples& samples, const Method& method)
        : query_(problem, samples), decider_(method.make_decider()) {}

    void decide(std::size_t row, const Selection& selection, Control& control) {
        query_.load(row, decider_->draws(), control);
        decision_.nodes = 0;
        decider_->decide(query_, decision_, control);
        const bool in_order = query_.problem.fixed_order || decider_->in_order();
        write(query_, decision_, in_order, row, selection);
    }

    void decide_rows(std::size_t begin, std::size_t end, const Selection& selection,
                     Control& control) {
        for (std::size_t row = begin; row < end; ++row) {
            control.check();
            decide(row, selection, control);
        }
    }

private:
    Query query_;
    std::unique_ptr<Decider> decider_;
    Decision decision_;
};

}  // namespace headrace
