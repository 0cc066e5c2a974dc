#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace headrace {

namespace {

constexpr std::size_t kLargestChunk = 256;
constexpr std::size_t kChunksPerThread = 16;

class Team {
public:
    Team(std::size_t n, std::size_t n_threads, Control& control,
         const std::function<Worker()>& make_worker)
        : n_(n),
          chunk_(std::clamp<std::size_t>(n / (n_threads * kChunksPerThread), 1, kLargestChunk)),
          control_(control),
          make_worker_(make_worker) {}

    void run(std::size_t n_threads) {
        std::vector<std::jthread> threads;
        threads.reserve(n_threads - 1);
        try {
            for (std::size_t i = 1; i < n_threads; ++i) {
                started_.fetch_add(1);
                threads.emplace_back([this] { help(); });
            }
        } catch (const std::system_error&) {
            finish();  // no more threads to be had: those that started share the work
        }
        work();
        wait();
        if (error_) std::rethrow_exception(error_);
    }

private:
    void work() noexcept {
        try {
            const Worker worker = make_worker_();
            for (;;) {
                control_.check();
                const std::size_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
                if (begin >= n_) return;
                worker(begin, std::min(begin + chunk_, n_));
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!error_) error_ = std::current_exception();
            control_.stop();
        }
    }

    void help() noexcept {
        work();
        finish();
    }

    void finish() noexcept {
        const std::lock_guard lock(mutex_);
        started_.fetch_sub(1);
        done_.notify_one();
    }

    // Keeps polling while the others end, so that they can be interrupted too.
    void wait() {
        std::unique_lock lock(mutex_);
        while (started_.load() != 0) {
            done_.wait_for(lock, std::chrono::milliseconds(20));
            if (control_.stopped() || started_.load() == 0) continue;
            lock.unlock();
            try {
                control_.check();
            } catch (...) {
                const std::lock_guard again(mutex_);
                if (!error_) error_ = std::current_exception();
                control_.stop();
            }
            lock.lock();
        }
    }

    const std::size_t n_;
    const std::size_t chunk_;
    Control& control_;
    const std::function<Worker()>& make_worker_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> started_{0};
    std::mutex mutex_;
    std::condition_variable done_;
    std::exception_ptr error_;
};

}  // namespace

void parallel_for(std::size_t n, std::size_t n_threads, Control& control,
                  const std::function<Worker()>& make_worker) {
    n_threads = std::clamp<std::size_t>(n_threads, 1, std::max<std::size_t>(n, 1));
    Team(n, n_threads, control, make_worker).run(n_threads);
}

}  // namespace headrace
