// Rows of doubles that start where a vector register or a cache line does.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace headrace {

template <class T>
struct CacheLineAllocator {
    using value_type = T;
    static constexpr std::align_val_t kLine{64};

    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
    void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory, kLine); }

    bool operator==(const CacheLineAllocator&) const = default;
};

using Doubles = std::vector<double, CacheLineAllocator<double>>;

}  // namespace headrace
