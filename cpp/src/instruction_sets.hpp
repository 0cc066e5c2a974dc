// The instruction sets that the build knows, from the rows of cpp/CMakeLists.txt.
#pragma once

#include <span>

#include "headrace/instruction_sets.hpp"
#include "kernels.hpp"

namespace headrace {

struct InstructionSetRow {
    const char* name;
    const kernels::Kernels* table;  // null: this build lacks it
    const char* (*lacking)();       // a feature that this CPU lacks; null: none
};

// Fastest first; the baseline is last. The generated file isas.cpp.
std::span<const InstructionSetRow> instruction_set_rows();

}  // namespace headrace
