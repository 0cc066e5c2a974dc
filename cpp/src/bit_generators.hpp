// Generators of random bits, seeded by one number.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace headrace {

// Spreads a seed over as many words as a generator needs.
// M. E. O'Neill (2015), "Developing a seed_seq Alternative", the form of NumPy's SeedSequence.
template <std::size_t n_words>
std::array<std::uint64_t, n_words> seed_words(std::uint64_t seed) {
    using Word = std::uint32_t;
    const auto folded = [](Word value) { return value ^ (value >> 16); };
    Word constant = 0x43B0D7E5;
    const auto hash = [&](Word value) {
        value ^= constant;
        constant *= 0x931E8875;
        return folded(value * constant);
    };
    std::array<Word, 4> pool = {static_cast<Word>(seed), static_cast<Word>(seed >> 32), 0, 0};
    for (Word& word : pool) word = hash(word);
    for (std::size_t from = 0; from < pool.size(); ++from) {
        for (std::size_t to = 0; to < pool.size(); ++to) {
            if (from == to) continue;
            pool[to] = folded(0xCA01F9DD * pool[to] - 0x4973F715 * hash(pool[from]));
        }
    }
    constant = 0x8B51F9DD;
    std::array<std::uint64_t, n_words> words{};
    for (std::size_t i = 0; i < 2 * n_words; ++i) {
        Word value = pool[i % pool.size()] ^ constant;
        constant *= 0x58F38DED;
        value = folded(value * constant);
        words[i / 2] |= std::uint64_t{value} << (32 * (i % 2));
    }
    return words;
}

// M. E. O'Neill (2014), "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
// for Random Number Generation": a linear congruential generator of 128 bits, XSL-RR output.
class Pcg64 {
public:
    explicit Pcg64(std::uint64_t seed) {
        const auto words = seed_words<4>(seed);
        increment_ = {words[2] << 1 | words[3] >> 63, words[3] << 1 | 1};
        state_ = sum(increment_, {words[0], words[1]});
        step();
    }

    std::uint64_t operator()() {
        step();
        return std::rotr(state_.high ^ state_.low, static_cast<int>(state_.high >> 58));
    }

private:
    struct Wide {
        std::uint64_t high, low;
    };

    static Wide sum(Wide a, Wide b) {
        const std::uint64_t low = a.low + b.low;
        return {a.high + b.high + (low < a.low), low};
    }

    static Wide product(Wide a, Wide b) {
        constexpr std::uint64_t kHalf = 0xFFFFFFFF;
        const std::uint64_t a0 = a.low & kHalf, a1 = a.low >> 32;
        const std::uint64_t b0 = b.low & kHalf, b1 = b.low >> 32;
        const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
        const std::uint64_t other = a0 * b1 + (middle & kHalf);
        const std::uint64_t carried = a1 * b1 + (middle >> 32) + (other >> 32);
        return {carried + a.high * b.low + a.low * b.high, a.low * b.low};
    }

    void step() {
        constexpr Wide kMultiplier = {0x2360ED051FC65DA4, 0x4385DF649FCCF645};
        state_ = sum(product(state_, kMultiplier), increment_);
    }

    Wide state_{};
    Wide increment_{};
};

// C. Doty-Humphrey (2013), PractRand: a small chaotic generator with a counter.
class Sfc64 {
public:
    explicit Sfc64(std::uint64_t seed) : words_(seed_words<3>(seed)) {
        for (int i = 0; i < 12; ++i) (*this)();
    }

    std::uint64_t operator()() {
        auto& [a, b, c] = words_;
        const std::uint64_t drawn = a + b + counter_++;
        a = b ^ (b >> 11);
        b = c + (c << 3);
        c = std::rotl(c, 24) + drawn;
        return drawn;
    }

private:
    std::array<std::uint64_t, 3> words_;
    std::uint64_t counter_ = 1;
};

}  // namespace headrace
