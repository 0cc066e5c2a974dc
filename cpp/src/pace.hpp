// How long the search of one query may go on.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "control.hpp"
#include "headrace/problem.hpp"

namespace headrace {

class Pace {
public:
    void start(const Problem& problem, Control& control) {
        control_ = &control;
        limited_ = problem.time_limit > 0.0;
        late_ = false;
        done_ = 0;
        if (limited_) {
            deadline_ = Clock::now() +
                        std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(std::min(problem.time_limit, 1e8)));
        }
    }

    // To be told of all work, in additions: looks at the clock and for interruptions every now and
    // then. Throws Interrupted.
    void work(std::size_t additions) {
        done_ += additions;
        if (done_ >= kBetweenLooks) look();
    }

    // Whether the time is up; stays so.
    bool late() const { return late_; }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kBetweenLooks = std::size_t{1} << 15;  // about 20 microseconds

    void look() {
        done_ = 0;
        control_->check();
        if (limited_ && Clock::now() > deadline_) late_ = true;
    }

    Control* control_ = nullptr;
    Clock::time_point deadline_;
    std::size_t done_ = 0;
    bool limited_ = false;
    bool late_ = false;
};

}  // namespace headrace
