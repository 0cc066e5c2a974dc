// The checksum CRC-32 (ISO-HDLC, as in gzip and PNG).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace headrace {

inline constexpr std::array<std::uint32_t, 256> kCrc32OfByte = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ ((rest & 1U) != 0 ? 0xEDB88320U : 0U);
        table[byte] = rest;
    }
    return table;
}();

// Of these bytes after those of which `before` is the checksum; 0 is that of no bytes.
inline std::uint32_t crc32(std::span<const unsigned char> bytes, std::uint32_t before = 0) {
    std::uint32_t rest = ~before;
    for (const unsigned char byte : bytes) rest = rest >> 8 ^ kCrc32OfByte[(rest ^ byte) & 0xFFU];
    return ~rest;
}

}  // namespace headrace
