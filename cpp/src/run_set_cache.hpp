// What follows from a set of models that have run alone, made once for all queries.
//
// Entries are only ever added, up to a bound on their memory, and stay: so they are found without a
// lock, by any number of threads, and the states that come up often, which come up first, are in.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "estimator.hpp"
#include "samples.hpp"

namespace headrace {

// Of one set of models that have run, and one of models that are out.
struct RunSetFacts {
    Conditioned conditioned;  // without its covariance
    OwnRows rows;             // correlated, by position; empty where there are none

    std::size_t n_bytes() const {
        return sizeof(*this) +
               sizeof(double) *
                   (conditioned.gains.size() + conditioned.deviations.size() + rows.data.size()) +
               rows.facts.n_bytes();
    }
};

class RunSetCache {
public:
    using Key = std::span<const std::uint64_t>;

    explicit RunSetCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}
    RunSetCache(const RunSetCache&) = delete;
    RunSetCache& operator=(const RunSetCache&) = delete;
    ~RunSetCache() {
        for (auto& bucket : buckets_) {
            for (const Node* node = bucket.load(); node != nullptr;) {
                const std::unique_ptr<const Node> gone(node);
                node = gone->next;
            }
        }
    }

    // The facts of a key: those that are there, or what `make` returns. Where there is no room
    // left, they are kept in `own`, which the caller keeps as long as it uses them.
    template <class Make>
    const RunSetFacts& get(Key key, const Make& make, std::unique_ptr<RunSetFacts>& own) const {
        std::atomic<const Node*>& bucket = buckets_[hash(key) % kBuckets];
        const Node* head = bucket.load(std::memory_order_acquire);
        if (const Node* known = find(head, nullptr, key)) return known->facts;

        auto node = std::make_unique<Node>(Node{{key.begin(), key.end()}, make(), head});
        const std::size_t size = sizeof(Node) + key.size_bytes() + node->facts.n_bytes();
        if (n_bytes_.fetch_add(size) + size > most_bytes_) {
            n_bytes_.fetch_sub(size);
            own = std::make_unique<RunSetFacts>(std::move(node->facts));
            return *own;
        }
        while (!bucket.compare_exchange_weak(node->next, node.get(), std::memory_order_acq_rel)) {
            // Others came before: one of theirs may be the same.
            if (const Node* known = find(node->next, head, key)) {
                n_bytes_.fetch_sub(size);
                return known->facts;
            }
            head = node->next;
        }
        return node.release()->facts;
    }

private:
    struct Node {
        std::vector<std::uint64_t> key;
        RunSetFacts facts;
        const Node* next;
    };

    static constexpr std::size_t kBuckets = 1024;

    static std::size_t hash(Key key) {
        std::uint64_t mixed = 0;
        for (const std::uint64_t word : key) {  // splitmix64
            mixed += word + 0x9E3779B97F4A7C15ULL;
            mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9ULL;
            mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBULL;
            mixed ^= mixed >> 31;
        }
        return static_cast<std::size_t>(mixed);
    }

    // From one node up to another.
    static const Node* find(const Node* from, const Node* to, Key key) {
        for (const Node* node = from; node != to; node = node->next) {
            if (std::equal(key.begin(), key.end(), node->key.begin(), node->key.end())) return node;
        }
        return nullptr;
    }

    const std::size_t most_bytes_;
    mutable std::atomic<std::size_t> n_bytes_{0};
    mutable std::array<std::atomic<const Node*>, kBuckets> buckets_{};
};

}  // namespace headrace
