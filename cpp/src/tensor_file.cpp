#include "tensor_file.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "crc32.hpp"
#include "json.hpp"

namespace headrace {

namespace {

using Bytes = std::span<const unsigned char>;

constexpr std::size_t kPrefix = 8;  // bytes that hold the length of the header
constexpr std::size_t kLongestHeader = std::size_t{1} << 24;
constexpr std::int64_t kLargestSize = std::int64_t{1} << 62;
constexpr std::size_t kMostDimensions = 8;
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kChecksum = "crc32";

enum class Type : std::uint8_t { kDoubles, kIntegers, kTruths };

std::size_t width(Type type) {
    return type == Type::kTruths ? 1 : 8;
}

// Where an array lies in the file.
struct Place {
    std::string name;
    Type type;
    std::size_t begin;
    std::size_t end;
    std::vector<std::size_t> shape;
};

[[noreturn]] void fail(const std::string& what) {
    throw FileFormatError(what);
}

std::uint64_t little_endian(Bytes eight) {
    std::uint64_t number = 0;
    for (std::size_t i = 8; i-- > 0;) number = number << 8 | eight[i];
    return number;
}

std::string_view text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

json::Object parsed_header(Bytes raw) {
    json::Value header;
    try {
        header = json::parse(text_of(raw));
    } catch (const json::Error& error) {
        fail(std::string("the header is not JSON: ") + error.what());
    }
    auto* object = std::get_if<json::Object>(&header.is);
    if (object == nullptr) fail("the header must be an object");
    return std::move(*object);
}

// Takes the texts out of the header.
std::map<std::string, std::string, std::less<>> taken_texts(json::Object& header) {
    std::map<std::string, std::string, std::less<>> texts;
    const auto found = header.find(kMetadata);
    if (found == header.end()) return texts;
    const auto* metadata = found->second.get_if<json::Object>();
    const std::string rule = std::string(kMetadata) + " in the header must hold texts";
    if (metadata == nullptr) fail(rule);
    for (const auto& [name, value] : *metadata) {
        const auto* text = value.get_if<std::string>();
        if (text == nullptr) fail(rule);
        texts.emplace(name, *text);
    }
    header.erase(found);
    return texts;
}

// Numbers from 0 to below kLargestSize; false if there is anything else.
bool read_sizes(const json::Value& value, std::vector<std::size_t>& sizes) {
    const auto* list = value.get_if<json::List>();
    if (list == nullptr) return false;
    for (const json::Value& entry : *list) {
        const auto* size = entry.get_if<std::int64_t>();
        if (size == nullptr || *size < 0 || *size >= kLargestSize) return false;
        sizes.push_back(static_cast<std::size_t>(*size));
    }
    return true;
}

// Whether the sizes multiply to so many items, without overflow.
bool multiply_to(const std::vector<std::size_t>& shape, std::size_t n_items) {
    if (std::find(shape.begin(), shape.end(), std::size_t{0}) != shape.end()) return n_items == 0;
    std::size_t total = 1;
    for (const std::size_t size : shape) {
        if (size > n_items / total) return false;
        total *= size;
    }
    return total == n_items;
}

Type type_of(const std::string& name, const json::Value& value) {
    const auto* type = value.get_if<std::string>();
    if (type != nullptr && *type == "F64") return Type::kDoubles;
    if (type != nullptr && *type == "I64") return Type::kIntegers;
    if (type != nullptr && *type == "BOOL") return Type::kTruths;
    fail("array '" + name + "' must be of F64, I64 or BOOL");
}

Place place_of(const std::string& name, const json::Value& value) {
    const auto* entry = value.get_if<json::Object>();
    if (entry == nullptr || entry->size() != 3 || !entry->contains("dtype") ||
        !entry->contains("shape") || !entry->contains("data_offsets")) {
        fail("array '" + name + "' must have dtype, shape and data_offsets");
    }
    Place place{name, type_of(name, entry->find("dtype")->second), 0, 0, {}};
    std::vector<std::size_t> offsets;
    if (!read_sizes(entry->find("shape")->second, place.shape) ||
        !read_sizes(entry->find("data_offsets")->second, offsets) || offsets.size() != 2 ||
        place.shape.size() > kMostDimensions) {
        fail("array '" + name + "' has no shape, or no place in the file");
    }
    place.begin = offsets[0];
    place.end = offsets[1];
    const std::size_t length = place.end - place.begin;
    if (place.end < place.begin || length % width(place.type) != 0 ||
        !multiply_to(place.shape, length / width(place.type))) {
        fail("the shape of array '" + name + "' does not fit its place");
    }
    return place;
}

// As they lie in the file, one after the other.
std::vector<Place> places_of(const json::Object& header) {
    std::vector<Place> places;
    for (const auto& [name, value] : header) places.push_back(place_of(name, value));
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::size_t end = 0;
    for (const Place& place : places) {
        if (place.begin != end) {
            fail("there is a gap or an overlap before array '" + place.name + "'");
        }
        end = place.end;
    }
    return places;
}

template <class T>
std::vector<T> numbers_of(Bytes bytes) {
    std::vector<T> numbers(bytes.size() / 8);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = std::bit_cast<T>(little_endian(bytes.subspan(8 * i, 8)));
    }
    return numbers;
}

Tensor tensor_of(const Place& place, Bytes bytes) {
    switch (place.type) {
        case Type::kDoubles:
            return {place.shape, numbers_of<double>(bytes)};
        case Type::kIntegers:
            return {place.shape, numbers_of<std::int64_t>(bytes)};
        case Type::kTruths:
            break;
    }
    const bool good =
        std::all_of(bytes.begin(), bytes.end(), [](unsigned char b) { return b <= 1; });
    if (!good) fail("array '" + place.name + "' must hold 0 and 1 only");
    return {place.shape, Tensor::Truths(bytes.begin(), bytes.end())};
}

std::string checksum_of(const std::map<std::string, std::string, std::less<>>& texts, Bytes body) {
    std::uint32_t checksum = 0;
    for (const auto& [name, text] : texts) {
        checksum = crc32(bytes_of(text), crc32(bytes_of(name), checksum));
    }
    checksum = crc32(body, checksum);
    std::string digits;
    for (unsigned shift = 32; shift > 0;) {
        shift -= 4;
        digits.push_back("0123456789abcdef"[checksum >> shift & 0xFU]);
    }
    return digits;
}

}  // namespace

TensorFile read_tensor_file(Bytes content) {
    const std::string has = "it has " + std::to_string(content.size()) + " bytes, ";
    if (content.size() < kPrefix) fail("the file is cut: " + has + "at least 8 are due");
    const std::uint64_t header_length = little_endian(content.first(kPrefix));
    if (header_length > kLongestHeader || (content.size() > kPrefix && content[kPrefix] != '{')) {
        fail("the file does not begin with a header: it is of another kind");
    }
    const auto length = static_cast<std::size_t>(header_length);
    if (content.size() - kPrefix < length) {
        fail("the file is cut: " + has + "and its header alone ends at " +
             std::to_string(kPrefix + length));
    }
    json::Object header = parsed_header(content.subspan(kPrefix, length));
    TensorFile file;
    file.texts = taken_texts(header);
    const std::vector<Place> places = places_of(header);
    const Bytes body = content.subspan(kPrefix + length);
    const std::size_t size = places.empty() ? 0 : places.back().end;
    if (body.size() != size) {
        fail(std::string("the file is ") +
             (body.size() < size ? "cut: " : "longer than it should be: ") + has +
             "and its header tells of " + std::to_string(kPrefix + length + size));
    }
    const auto checksum = file.texts.extract(std::string(kChecksum));
    if (checksum.empty() || checksum.mapped() != checksum_of(file.texts, body)) {
        fail("the file is damaged: its checksum does not fit its content");
    }
    for (const Place& place : places) {
        file.tensors.emplace(place.name,
                             tensor_of(place, body.subspan(place.begin, place.end - place.begin)));
    }
    return file;
}

}  // namespace headrace
