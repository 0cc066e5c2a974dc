// The one place that starts threads. They end with the call, so nothing outlives a fork.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

#include "control.hpp"

namespace headrace {

// Calls make_worker() once on each of up to n_threads threads, the calling one included, and the
// functions it returns on disjoint chunks [begin, end) that cover 0..n. The first exception of any
// thread stops the others and arrives here as itself.
using Worker = std::function<void(std::size_t begin, std::size_t end)>;
void parallel_for(std::size_t n, std::size_t n_threads, Control& control,
                  const std::function<Worker()>& make_worker);

// Threads that n items are worth: below so much work, starting one costs more than it saves.
inline constexpr std::size_t kDrawsPerThread = std::size_t{1} << 15;
inline constexpr std::size_t kModelsPerThread = std::size_t{1} << 17;

inline std::size_t useful_threads(std::size_t n, std::size_t per_item, std::size_t per_thread) {
    return std::max<std::size_t>(1, n / (per_thread / per_item + 1));
}

}  // namespace headrace
