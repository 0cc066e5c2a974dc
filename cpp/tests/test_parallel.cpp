#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "parallel.hpp"

using headrace::Control;
using headrace::Interrupted;
using headrace::parallel_for;
using headrace::Worker;

namespace {

struct Unusual : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void every_index_once() {
    for (const std::size_t n : {0U, 1U, 2U, 7U, 1000U, 5000U}) {
        for (const std::size_t n_threads : {0U, 1U, 2U, 3U, 8U, 64U}) {
            std::vector<std::atomic<int>> seen(n);
            const std::function<bool()> poll;
            Control control(poll);
            parallel_for(n, n_threads, control, [&]() -> Worker {
                return [&](std::size_t begin, std::size_t end) {
                    for (std::size_t i = begin; i < end; ++i) seen[i].fetch_add(1);
                };
            });
            bool once = true;
            for (const auto& count : seen) once = once && count == 1;
            CHECK(once);
        }
    }
}

void exception_arrives_as_itself() {
    for (const std::size_t n_threads : {1U, 2U, 4U}) {
        for (const std::size_t guilty : {0U, 500U, 999U}) {
            const std::function<bool()> poll;
            Control control(poll);
            const auto run = [&] {
                parallel_for(1000, n_threads, control, [&]() -> Worker {
                    return [&](std::size_t begin, std::size_t end) {
                        if (begin <= guilty && guilty < end) throw Unusual("as itself");
                    };
                });
            };
            CHECK_THROWS(run(), Unusual, "as itself");
        }
    }
}

void helpers_exception_arrives_as_itself() {
    const std::thread::id caller = std::this_thread::get_id();
    const std::function<bool()> poll;
    Control control(poll);
    std::atomic<bool> thrown{false};
    const auto run = [&] {
        parallel_for(1000, 2, control, [&]() -> Worker {
            return [&](std::size_t, std::size_t) {
                if (std::this_thread::get_id() != caller) {
                    thrown = true;
                    throw Unusual("from a helper");
                }
                while (!thrown) std::this_thread::yield();
            };
        });
    };
    CHECK_THROWS(run(), Unusual, "from a helper");
}

void poll_interrupts() {
    for (const std::size_t n_threads : {1U, 2U}) {
        std::atomic<int> polls{0};
        const std::thread::id caller = std::this_thread::get_id();
        std::atomic<bool> elsewhere{false};
        const std::function<bool()> poll = [&] {
            if (std::this_thread::get_id() != caller) elsewhere = true;
            return ++polls == 3;
        };
        Control control(poll);
        const auto run = [&] {
            parallel_for(2, n_threads, control, [&]() -> Worker {
                return [&](std::size_t, std::size_t) {
                    for (;;) {  // a search that would never end
                        std::this_thread::sleep_for(std::chrono::milliseconds(1));
                        control.check();
                    }
                };
            });
        };
        CHECK_THROWS(run(), Interrupted, "interrupted");
        CHECK_EQUAL(polls.load(), 3);
        CHECK(!elsewhere);
    }
}

}  // namespace

int main() {
    every_index_once();
    exception_arrives_as_itself();
    helpers_exception_arrives_as_itself();
    poll_interrupts();
    return check::report();
}
