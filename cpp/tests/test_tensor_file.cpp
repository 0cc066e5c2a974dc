// Tensor files: what is written is read; what is cut, damaged or made up is refused.
#include <random>

#include "check.hpp"
#include "crc32.hpp"
#include "tensor_file.hpp"
#include "tensor_files.hpp"

namespace {

using headrace::FileFormatError;
using headrace::read_tensor_file;
using headrace::Tensor;

FileMaker sample() {
    FileMaker maker;
    maker.texts = {{"b", "two \\ \"words\""}, {"a", "\xc3\xa4"}};
    maker.add("numbers", "[2,2]", std::vector<double>{1.5, -0.0, 1e300, 3.0});
    maker.add("none", "[0,3]", std::vector<double>{});
    maker.add("one", "[]", std::vector<std::int64_t>{-7});
    maker.add("truths", "[3]", std::vector<std::uint8_t>{0, 1, 1});
    return maker;
}

void what_is_written_is_read() {
    CHECK_EQUAL(headrace::crc32(bytes_of("123456789")), 0xCBF43926U);
    const headrace::TensorFile file = read_tensor_file(sample().content());
    CHECK_EQUAL(file.tensors.size(), 4U);
    CHECK_EQUAL(file.texts.size(), 2U);
    CHECK_EQUAL(file.texts.at("b"), "two \\ \"words\"");
    const Tensor& numbers = file.tensors.find("numbers")->second;
    CHECK(numbers.shape == (std::vector<std::size_t>{2, 2}));
    CHECK(std::get<Tensor::Doubles>(numbers.values) ==
          (std::vector<double>{1.5, -0.0, 1e300, 3.0}));
    CHECK(file.tensors.find("one")->second.shape.empty());
    CHECK(std::get<Tensor::Integers>(file.tensors.find("one")->second.values) ==
          (std::vector<std::int64_t>{-7}));
    CHECK_EQUAL(std::get<Tensor::Truths>(file.tensors.find("truths")->second.values).size(), 3U);
    CHECK(read_tensor_file(FileMaker().content()).tensors.empty());
}

bool is_refused(const Content& content) {
    try {
        read_tensor_file(content);
    } catch (const FileFormatError&) {
        return true;
    }
    return false;
}

void a_cut_file_is_refused() {
    const Content content = sample().content();
    for (std::size_t length = 0; length < content.size(); ++length) {
        const Content cut(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK_THROWS(read_tensor_file(cut), FileFormatError, "the file");
    }
    Content longer = content;
    longer.push_back(0);
    CHECK_THROWS(read_tensor_file(longer), FileFormatError, "longer than it should be");
}

// But for the names of the arrays, which whoever asks for them misses.
void a_damaged_file_is_refused() {
    const Content content = sample().content();
    const std::string text(content.begin(), content.end());
    for (std::size_t at = text.find("__metadata__"); at < content.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            Content damaged = content;
            damaged[at] = static_cast<unsigned char>(damaged[at] ^ 1U << bit);
            CHECK(is_refused(damaged));
        }
    }
}

void refused(const std::string& header, const char* why, std::size_t body = 8) {
    CHECK_THROWS(read_tensor_file(file_of(header, Content(body))), FileFormatError, why);
}

void a_hostile_header_is_refused() {
    refused("{nonsense", "not JSON");
    refused(R"({"a":1,"a":1})", "not JSON: a name stands twice");
    refused("[1]", "another kind");
    refused(R"({"a":1})", "must have dtype, shape and data_offsets");
    refused(R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,8]}})", "must be of F64");
    refused(R"({"a":{"dtype":[],"shape":[1],"data_offsets":[0,8]}})", "must be of F64");
    refused(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8],"more":1}})", "must have");
    for (const char* shape : {"[-1]", "[1.0]", "[true]", "1", "[4611686018427387904]",
                              "[1,1,1,1,1,1,1,1,1]", "[1e0]"}) {
        refused(
            std::string(R"({"a":{"dtype":"F64","shape":)") + shape + R"(,"data_offsets":[0,8]}})",
            "has no shape, or no place");
    }
    for (const char* offsets : {"[0]", "[0,8,8]", "[-8,0]", "{}"}) {
        refused(std::string(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":)") + offsets + "}}",
                "has no shape, or no place");
    }
    for (const char* shape : {"[2]", "[]", "[0]", "[4000000000,4000000000]",
                              "[4611686018427387903,4611686018427387903]", "[0,5]"}) {
        const char* offsets = std::string_view(shape) == "[]" ? "[0,16]" : "[0,8]";
        refused(std::string(R"({"a":{"dtype":"F64","shape":)") + shape + R"(,"data_offsets":)" +
                    offsets + "}}",
                "does not fit its place");
    }
    refused(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[8,0]}})", "does not fit its place");
    refused(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,9]}})", "does not fit its place");
    refused(R"({"a":{"dtype":"F64","shape":[100],"data_offsets":[0,800]}})", "is cut");
    refused(R"({"a":{"dtype":"F64","shape":[0],"data_offsets":[8,8]}})", "a gap or an overlap");
    refused(R"({"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}})",
            "a gap or an overlap");
    refused(R"({"__metadata__":{"a":1}})", "must hold texts");
    refused(R"({"__metadata__":[]})", "must hold texts");
    refused(R"({"__metadata__":{"crc32":"00000000"}})", "longer");
    refused(R"({"__metadata__":{"crc32":"00000001"}})", "checksum", 0);
    refused("{}", "checksum", 0);

    Content prefix(8, 0xFF);
    CHECK_THROWS(read_tensor_file(prefix), FileFormatError, "another kind");
    prefix[7] = 0x7F;
    CHECK_THROWS(read_tensor_file(prefix), FileFormatError, "another kind");
    FileMaker maker;
    maker.add("a", "[1]", std::vector<std::uint8_t>{2});
    CHECK_THROWS(read_tensor_file(maker.content()), FileFormatError, "0 and 1 only");
}

void random_bytes_are_refused() {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        Content body(random() % 60);
        for (unsigned char& byte : body) byte = static_cast<unsigned char>(random());
        if (body.size() > 8) {
            std::fill(body.begin() + 1, body.begin() + 8, static_cast<unsigned char>(0));
            body[8] = '{';
        }
        CHECK(is_refused(body));
    }
}

}  // namespace

int main() {
    what_is_written_is_read();
    a_cut_file_is_refused();
    a_damaged_file_is_refused();
    a_hostile_header_is_refused();
    random_bytes_are_refused();
    return check::report();
}
