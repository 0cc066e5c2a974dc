// The sets that tie with the best one, while there are few.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace headrace {

class TiedSets {
public:
    struct Entry {
        double tradeoff, quality, cost;
        std::vector<std::size_t> models;  // ascending
    };

    void clear() { size_ = 0; }
    const Entry* begin() const { return entries_.data(); }
    const Entry* end() const { return entries_.data() + size_; }

    void drop_below(double tradeoff) {
        for (std::size_t i = 0; i < size_;) {
            if (entries_[i].tradeoff >= tradeoff) {
                ++i;
            } else {
                std::swap(entries_[i], entries_[--size_]);
            }
        }
    }

    // False where there is no room; a set that is there already needs none.
    bool add(double tradeoff, double quality, double cost, const std::vector<std::size_t>& models) {
        for (const Entry& entry : *this) {
            if (entry.models == models) return true;
        }
        if (size_ == entries_.size()) return false;
        Entry& entry = entries_[size_++];
        entry.tradeoff = tradeoff;
        entry.quality = quality;
        entry.cost = cost;
        entry.models = models;
        return true;
    }

private:
    std::array<Entry, 16> entries_;
    std::size_t size_ = 0;
};

}  // namespace headrace
