// Model selection for language models: which model runs next, or do we stop?
//
// Cascade routing: Dekoninck, Baader, Vechev, "A Unified Approach to Routing and Cascading for
// LLMs", ICML 2025. Index policy: Weitzman, "Optimal Search for the Best Alternative", 1979.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>

#include "headrace/export.hpp"
#include "headrace/instruction_sets.hpp"
#include "headrace/problem.hpp"
#include "headrace/selection.hpp"

namespace headrace {

// Thrown when the caller's poll asks to stop.
class HEADRACE_API Interrupted : public std::runtime_error {
public:
    Interrupted() : std::runtime_error("interrupted") {}
};

struct Execution {
    std::size_t n_threads = 1;
    // Called now and then on the calling thread only; true stops the call with Interrupted.
    std::function<bool()> poll;
};

// Decides every query of the batch. The answers do not depend on the execution, but for time_limit.
// A thread that decides alone keeps the memory of its last search, some megabytes at the most,
// until it ends. Throws std::invalid_argument for sizes, null arrays, unknown names, HEADRACE_ISA,
// and numbers that are not what the problem's contract says, with their place; std::domain_error
// where an enumeration would not end; and std::bad_alloc. After any of these the selection may be
// partly written.
HEADRACE_API void batch_select(const Problem& problem, const Selection& selection,
                               const Execution& execution);

}  // namespace headrace
