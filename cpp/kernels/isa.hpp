// The kernels of one instruction set, from the bodies in this folder. Included by one generated
// file for each, with the name in HEADRACE_ISA and the compiler's flags.
//
// Bodies are loops over raw pointers in unnamed namespaces and call nothing from elsewhere: an
// inline function or a template would be compiled for this instruction set too, and the linker
// might keep that copy for the whole program.
#pragma once

#include "kernels.hpp"
#include "model_loops.hpp"
#include "sample_loops.hpp"

#define HEADRACE_QUOTE(name) #name
#define HEADRACE_NAME(name) HEADRACE_QUOTE(name)

namespace headrace::kernels::HEADRACE_ISA {

extern const Kernels table;
const Kernels table = {
    .name = HEADRACE_NAME(HEADRACE_ISA),
    .sum = sum,
    .excess = excess,
    .drawn_excess = drawn_excess,
    .summarise = summarise,
    .pay = pay,
    .raise = raise,
    .raise_into = raise_into,
    .lower = lower,
    .at_least = at_least,
    .raise_two = raise_two,
    .swap_kept = swap_kept,
    .sum_owned = sum_owned,
    .clip_slope = clip_slope,
    .dot = dot,
    .deflect = deflect,
    .move_level = move_level,
    .count_above = count_above,
    .draw = draw,
    .add_scaled = add_scaled,
    .add_rows = add_rows,
    .within = within,
    .reach = reach,
    .bound_gains = bound_gains,
    .route = route,
    .screen = screen,
    .first_at_least = first_at_least,
};

}  // namespace headrace::kernels::HEADRACE_ISA
