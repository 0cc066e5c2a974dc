#include "instruction_sets.hpp"

#include <cstdlib>
#include <stdexcept>

namespace headrace {

namespace kernels {

namespace baseline {
extern const Kernels table;
}

std::atomic<const Kernels*> chosen{&baseline::table};

}  // namespace kernels

namespace {

constexpr const char* kVariable = "HEADRACE_ISA";

std::string why_not(const InstructionSetRow& row) {
    if (row.table == nullptr) return "this build lacks it: it takes GCC or Clang for x86-64";
    const char* feature = row.lacking();
    return feature == nullptr ? "" : std::string("this CPU lacks ") + feature;
}

std::string names(bool available_only) {
    std::string list;
    for (const InstructionSetRow& row : instruction_set_rows()) {
        if (available_only && !why_not(row).empty()) continue;
        if (!list.empty()) list += ", ";
        list += row.name;
    }
    return list;
}

const kernels::Kernels* fastest() {
    for (const InstructionSetRow& row : instruction_set_rows()) {
        if (why_not(row).empty()) return row.table;
    }
    return &kernels::baseline::table;
}

const kernels::Kernels* named(std::string_view name) {
    for (const InstructionSetRow& row : instruction_set_rows()) {
        if (row.name != name) continue;
        const std::string reason = why_not(row);
        if (reason.empty()) return row.table;
        throw std::invalid_argument(std::string(kVariable) + ": instruction set '" + row.name +
                                    "' is not available (" + reason +
                                    "); available: " + names(true));
    }
    throw std::invalid_argument(std::string(kVariable) + ": unknown instruction set '" +
                                std::string(name) + "': choose one of " + names(true));
}

const kernels::Kernels* choose() {
    const char* name = std::getenv(kVariable);
    const kernels::Kernels* table =
        name == nullptr || *name == '\0' ? fastest() : named(std::string_view(name));
    kernels::chosen.store(table, std::memory_order_relaxed);
    return table;
}

}  // namespace

std::vector<InstructionSet> instruction_sets() {
    std::vector<InstructionSet> sets;
    for (const InstructionSetRow& row : instruction_set_rows()) {
        sets.push_back({row.name, why_not(row)});
    }
    return sets;
}

std::string_view instruction_set() {
    static const kernels::Kernels* const once = choose();  // again after an exception
    return once->name;
}

}  // namespace headrace
