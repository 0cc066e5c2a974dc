// Whether to go on: shared by the threads of one call.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "headrace/headrace.hpp"

namespace headrace {

class Control {
public:
    explicit Control(const std::function<bool()>& poll) : poll_(poll) {}

    // Throws Interrupted once the call is to stop. Cheap enough for every node of a search.
    void check() {
        if (stopped_.load(std::memory_order_relaxed)) throw Interrupted();
        if (poll_ && std::this_thread::get_id() == caller_) poll_now_and_then();
    }

    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;
    // After the first check: most searches are over by then.
    static constexpr std::chrono::milliseconds kBeforePolls{5};
    static constexpr std::chrono::milliseconds kBetweenPolls{20};

    void poll_now_and_then() {
        const Clock::time_point now = Clock::now();
        if (next_poll_ == Clock::time_point{}) next_poll_ = now + kBeforePolls;
        if (now < next_poll_) return;
        next_poll_ = now + kBetweenPolls;
        if (poll_()) {
            stop();
            throw Interrupted();
        }
    }

    const std::function<bool()>& poll_;
    const std::thread::id caller_ = std::this_thread::get_id();
    Clock::time_point next_poll_{};  // of the calling thread alone; none before the first check
    std::atomic<bool> stopped_{false};
};

}  // namespace headrace
