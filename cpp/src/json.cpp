#include "json.hpp"

#include <charconv>
#include <utility>

namespace headrace::json {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Value document() {
        Value value = any(0);
        skip_space();
        if (at_ != text_.size()) fail("there is more after the value");
        return value;
    }

private:
    [[noreturn]] void fail(const char* what) const {
        throw Error(std::string(what) + " at byte " + std::to_string(at_));
    }

    // The next byte; a zero, which is in no JSON, where there is none.
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
    }

    bool accept(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }

    bool accept(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }

    Value any(std::size_t depth) {
        skip_space();
        if (depth > kDeepest) fail("lists and objects are nested too deeply");
        if (accept('{')) return {object(depth)};
        if (accept('[')) return {list(depth)};
        if (accept('"')) return {string()};
        if (accept("true")) return {true};
        if (accept("false")) return {false};
        if (accept("null")) return {nullptr};
        return number();
    }

    Object object(std::size_t depth) {
        Object found;
        skip_space();
        if (accept('}')) return found;
        do {
            skip_space();
            if (!accept('"')) fail("a name is expected");
            std::string name = string();
            skip_space();
            if (!accept(':')) fail("a colon is expected");
            Value value = any(depth + 1);
            if (!found.try_emplace(std::move(name), std::move(value)).second) {
                fail("a name stands twice in an object");
            }
            skip_space();
        } while (accept(','));
        if (!accept('}')) fail("a comma or a brace is expected");
        return found;
    }

    List list(std::size_t depth) {
        List found;
        skip_space();
        if (accept(']')) return found;
        do {
            found.push_back(any(depth + 1));
            skip_space();
        } while (accept(','));
        if (!accept(']')) fail("a comma or a bracket is expected");
        return found;
    }

    // ---- numbers ----

    void digits() {
        if (!is_digit(peek())) fail("a digit is expected");
        while (is_digit(peek())) ++at_;
    }

    Value number() {
        const std::size_t begin = at_;
        accept('-');
        if (!is_digit(peek())) fail("a value is expected");
        if (!accept('0')) digits();
        bool whole = true;
        if (accept('.')) {
            whole = false;
            digits();
        }
        if (accept('e') || accept('E')) {
            whole = false;
            if (!accept('+')) accept('-');
            digits();
        }
        const char* first = text_.data() + begin;
        const char* last = text_.data() + at_;
        if (whole) {
            std::int64_t integer = 0;
            if (std::from_chars(first, last, integer).ec == std::errc{}) return {integer};
        }
        double real = 0.0;
        if (std::from_chars(first, last, real).ec != std::errc{})
            fail("a number is beyond doubles");
        return {real};
    }

    // ---- texts ----

    std::string string() {
        std::string found;
        for (;;) {
            if (at_ == text_.size()) fail("a text has no end");
            const auto byte = static_cast<unsigned char>(text_[at_]);
            if (byte < 0x20) fail("a control character stands in a text");
            ++at_;
            if (byte == '"') return found;
            if (byte == '\\') {
                escaped(found);
            } else if (byte < 0x80) {
                found.push_back(static_cast<char>(byte));
            } else {
                several_bytes(byte, found);
            }
        }
    }

    void escaped(std::string& found) {
        constexpr std::string_view kEscapes = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (accept('u')) return append(code_point(), found);
        const std::size_t which = at_ < text_.size() ? kEscapes.find(text_[at_]) : kEscapes.npos;
        if (which == kEscapes.npos) fail("an escape is unknown");
        ++at_;
        found.push_back(kMeanings[which]);
    }

    std::uint32_t hex_unit() {
        std::uint32_t unit = 0;
        if (text_.size() - at_ < 4) fail("four hexadecimal digits are expected");
        const char* first = text_.data() + at_;
        const auto [end, error] = std::from_chars(first, first + 4, unit, 16);
        if (error != std::errc{} || end != first + 4) fail("four hexadecimal digits are expected");
        at_ += 4;
        return unit;
    }

    std::uint32_t code_point() {
        const std::uint32_t unit = hex_unit();
        if (unit < 0xD800 || unit > 0xDFFF) return unit;
        if (unit > 0xDBFF || !accept("\\u")) fail("half a surrogate pair stands alone");
        const std::uint32_t low = hex_unit();
        if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair stands alone");
        return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }

    static void append(std::uint32_t point, std::string& found) {
        const auto tail = [&](unsigned shift) {
            found.push_back(static_cast<char>(0x80U | (point >> shift & 0x3FU)));
        };
        if (point < 0x80) {
            found.push_back(static_cast<char>(point));
        } else if (point < 0x800) {
            found.push_back(static_cast<char>(0xC0U | point >> 6));
            tail(0);
        } else if (point < 0x10000) {
            found.push_back(static_cast<char>(0xE0U | point >> 12));
            tail(6);
            tail(0);
        } else {
            found.push_back(static_cast<char>(0xF0U | point >> 18));
            tail(12);
            tail(6);
            tail(0);
        }
    }

    // A character of two to four bytes, of which the first has been read.
    void several_bytes(unsigned char first, std::string& found) {
        const std::size_t rest = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || text_.size() - at_ < rest) fail("a text is not UTF-8");
        std::uint32_t point = first & (0x3FU >> rest);
        for (std::size_t i = 0; i < rest; ++i) {
            const auto byte = static_cast<unsigned char>(text_[at_ + i]);
            if ((byte & 0xC0U) != 0x80U) fail("a text is not UTF-8");
            point = point << 6 | (byte & 0x3FU);
        }
        const bool overlong = (rest == 2 && point < 0x800) || (rest == 3 && point < 0x10000);
        const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (overlong || surrogate || point > 0x10FFFF) fail("a text is not UTF-8");
        at_ += rest;
        append(point, found);
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Value parse(std::string_view text) {
    return Parser(text).document();
}

}  // namespace headrace::json
