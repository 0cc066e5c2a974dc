// Instruction sets: the hot loops exist once for each, and one is chosen at run time. All of them
// give the same answers, to the last bit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headrace/export.hpp"

namespace headrace {

struct InstructionSet {
    std::string_view name;
    std::string reason;  // why this CPU or this build lacks it; empty: it is available
};

// Fastest first. The last is "baseline", what the compiler was told to assume of every CPU; it is
// always available.
HEADRACE_API std::vector<InstructionSet> instruction_sets();

// The name of the one in use: the fastest available, or the one that HEADRACE_ISA in the
// environment names, if it is not empty. Chosen by the first call, here or in batch_select, for the
// life of the process. Throws std::invalid_argument, and chooses nothing, for a name that is
// unknown or not available.
HEADRACE_API std::string_view instruction_set();

}  // namespace headrace
