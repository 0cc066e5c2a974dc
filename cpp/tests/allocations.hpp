// Counts what a program allocates: linked with allocations.cpp.
#pragma once

#include <cstddef>

std::size_t n_allocations();
