// Tensor files made for tests.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "crc32.hpp"

using Content = std::vector<unsigned char>;

inline Content bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

// A file with this header, written as it is, and this body.
inline Content file_of(const std::string& header, const Content& body) {
    Content content;
    for (unsigned i = 0; i < 8; ++i) {
        content.push_back(static_cast<unsigned char>(header.size() >> (8 * i) & 0xFFU));
    }
    content.insert(content.end(), header.begin(), header.end());
    content.insert(content.end(), body.begin(), body.end());
    return content;
}

inline std::string quoted(const std::string& text) {
    std::string found = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') found.push_back('\\');
        found.push_back(c);
    }
    return found + "\"";
}

// Arrays and texts that are put together as a file, with its checksum.
class FileMaker {
public:
    std::map<std::string, std::string> texts;

    void add(const std::string& name, const std::string& shape, const std::vector<double>& values) {
        put(name, "F64", shape, values.data(), 8 * values.size());
    }
    void add(const std::string& name, const std::string& shape,
             const std::vector<std::int64_t>& values) {
        put(name, "I64", shape, values.data(), 8 * values.size());
    }
    void add(const std::string& name, const std::string& shape,
             const std::vector<std::uint8_t>& values) {
        put(name, "BOOL", shape, values.data(), values.size());
    }

    // Numbers of all arrays, as they lie in the file: but for those of one byte.
    std::size_t n_numbers() const { return body_.size() / 8; }
    void change(std::size_t at, double number) {
        std::memcpy(body_.data() + 8 * at, &number, sizeof number);
    }

    Content content() const {
        std::uint32_t checksum = 0;
        std::string metadata;
        for (const auto& [name, text] : texts) {
            checksum = headrace::crc32(bytes_of(text), headrace::crc32(bytes_of(name), checksum));
            metadata += quoted(name) + ":" + quoted(text) + ",";
        }
        char digits[9];
        std::snprintf(digits, sizeof digits, "%08x", headrace::crc32(body_, checksum));
        return file_of(
            "{" + entries_ + "\"__metadata__\":{" + metadata + "\"crc32\":\"" + digits + "\"}}",
            body_);
    }

private:
    void put(const std::string& name, const std::string& type, const std::string& shape,
             const void* data, std::size_t size) {
        const std::size_t begin = body_.size();
        body_.resize(begin + size);
        if (size > 0) std::memcpy(body_.data() + begin, data, size);
        entries_ += quoted(name) + ":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
                    ",\"data_offsets\":[" + std::to_string(begin) + "," +
                    std::to_string(begin + size) + "]},";
    }

    std::string entries_;
    Content body_;
};
