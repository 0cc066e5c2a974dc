// Arrays and texts in one file: the layout of safetensors, as headrace writes it.
//
// Eight bytes hold the length of a header in JSON, little-endian; the header names each array with
// its type, shape and place in the rest of the file, which is the arrays one after the other, in
// row-major order and without gaps. Nothing in a file is executed, and no size is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace headrace {

// The content is not what it should be; the message says how.
class FileFormatError : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

struct Tensor {
    using Doubles = std::vector<double>;
    using Integers = std::vector<std::int64_t>;
    using Truths = std::vector<std::uint8_t>;  // 0 and 1

    std::vector<std::size_t> shape;
    std::variant<Doubles, Integers, Truths> values;  // row-major
};

struct TensorFile {
    std::map<std::string, Tensor, std::less<>> tensors;
    std::map<std::string, std::string, std::less<>> texts;  // without the checksum
};

// Throws FileFormatError for another layout, a file that was cut, or one whose checksum does not
// fit.
TensorFile read_tensor_file(std::span<const unsigned char> content);

}  // namespace headrace
