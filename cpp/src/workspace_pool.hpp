// Workspaces that wait for the next decision, found without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "workspace.hpp"

namespace headrace {

class WorkspacePool {
public:
    WorkspacePool() = default;
    WorkspacePool(const WorkspacePool&) = delete;
    WorkspacePool& operator=(const WorkspacePool&) = delete;
    ~WorkspacePool() {
        for (auto& slot : slots_) delete slot.load();
    }

    std::unique_ptr<Workspace> take() {  // or null
        const std::size_t first = own_slot();
        for (std::size_t i = 0; i < kSlots; ++i) {
            auto& slot = slots_[(first + i) % kSlots];
            if (slot.load(std::memory_order_relaxed) == nullptr) continue;
            std::unique_ptr<Workspace> found(slot.exchange(nullptr, std::memory_order_acquire));
            if (found != nullptr) return found;
        }
        return nullptr;
    }

    void give_back(std::unique_ptr<Workspace> workspace) {
        const std::size_t first = own_slot();
        for (std::size_t i = 0; i < kSlots; ++i) {
            auto& slot = slots_[(first + i) % kSlots];
            Workspace* nothing = nullptr;
            if (slot.compare_exchange_strong(nothing, workspace.get(), std::memory_order_release,
                                             std::memory_order_relaxed)) {
                workspace.release();
                return;
            }
        }
    }

private:
    static constexpr std::size_t kSlots = 64;

    // Threads begin at slots of their own, so that they seldom meet.
    static std::size_t own_slot() {
        static std::atomic<std::size_t> threads{0};
        thread_local std::size_t number = 0;  // from 1
        if (number == 0) number = threads.fetch_add(1) + 1;
        return number;
    }

    std::array<std::atomic<Workspace*>, kSlots> slots_{};
};

}  // namespace headrace
