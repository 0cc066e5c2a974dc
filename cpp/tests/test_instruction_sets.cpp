// The choice of an instruction set: what HEADRACE_ISA of this process asks for is what runs, or the
// reason why it does not.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "check.hpp"
#include "headrace/instruction_sets.hpp"
#include "kernels.hpp"
#include "problems.hpp"

namespace {

using headrace::InstructionSet;

// What the operating system says of the CPU; an emulator may say less.
bool has_flag(const std::string& flag) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string word; file >> word;) {
        if (word == flag) return true;
    }
    return false;
}

void listed() {
    const std::vector<InstructionSet> sets = headrace::instruction_sets();
    CHECK(!sets.empty());
    CHECK_EQUAL(sets.back().name, "baseline");
    CHECK_EQUAL(sets.back().reason, "");
    for (const InstructionSet& set : sets) {
        if (!set.reason.empty()) continue;
        if (set.name == "avx2") CHECK(has_flag("avx2"));
        if (set.name == "avx512") CHECK(has_flag("avx512f") && has_flag("avx512vl"));
    }
}

void solves(std::string_view name) {
    const OwnedProblem owned(1, 50, 7, 19, false);
    const Answer several = owned.solve("cascade_routing", "exact", 2);
    CHECK_EQUAL(headrace::kernels::chosen.load()->name, name);
    CHECK_EQUAL(headrace::instruction_set(), name);
    CHECK(several.decides_as(owned.solve("cascade_routing", "exact")));
}

// Refused before any work, each time, and nothing is chosen.
void refused(const std::string& name, const std::string& reason) {
    const OwnedProblem owned(1, 3, 4, 8, false);
    Answer untouched{3, 4};
    const std::vector<std::int64_t> before = untouched.next_model;
    for (int attempt = 0; attempt < 2; ++attempt) {
        CHECK_THROWS(headrace::batch_select(owned.problem, untouched.view(), {}),
                     std::invalid_argument, "'" + name + "'");
        CHECK_THROWS(headrace::instruction_set(), std::invalid_argument, reason);
        for (const InstructionSet& set : headrace::instruction_sets()) {
            if (!set.reason.empty()) continue;
            CHECK_THROWS(headrace::instruction_set(), std::invalid_argument, std::string(set.name));
        }
    }
    CHECK(untouched.next_model == before);
    CHECK_EQUAL(std::string(headrace::kernels::chosen.load()->name), "baseline");
}

}  // namespace

int main() {
    listed();
    CHECK_EQUAL(std::string(headrace::kernels::chosen.load()->name), "baseline");
    const std::vector<InstructionSet> sets = headrace::instruction_sets();
    const char* variable = std::getenv("HEADRACE_ISA");
    const std::string asked = variable == nullptr ? "" : variable;
    const auto found = std::find_if(sets.begin(), sets.end(), [&](const InstructionSet& set) {
        return asked.empty() ? set.reason.empty() : set.name == asked;
    });
    if (found == sets.end()) {
        refused(asked, "unknown");
    } else if (!found->reason.empty()) {
        refused(asked, found->reason);
    } else {
        // The first calls at once, from several threads.
        std::vector<std::string_view> seen(4);
        std::vector<std::thread> threads;
        for (std::string_view& name : seen) {
            threads.emplace_back([&name] { name = headrace::instruction_set(); });
        }
        for (std::thread& thread : threads) thread.join();
        for (const std::string_view name : seen) CHECK_EQUAL(name, found->name);
        solves(found->name);
    }
    return check::report();
}
