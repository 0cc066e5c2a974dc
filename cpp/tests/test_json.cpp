// JSON is read as RFC 8259 has it, and nothing else is.
#include <string>

#include "check.hpp"
#include "json.hpp"

namespace {

using headrace::json::Error;
using headrace::json::List;
using headrace::json::Object;
using headrace::json::parse;

template <class T>
T as(std::string_view text) {
    const headrace::json::Value value = parse(text);
    const T* found = value.get_if<T>();
    CHECK(found != nullptr);
    return found == nullptr ? T{} : *found;
}

void values() {
    CHECK(parse(" null\n").get_if<std::nullptr_t>() != nullptr);
    CHECK_EQUAL(as<bool>("true"), true);
    CHECK_EQUAL(as<bool>("false"), false);
    CHECK_EQUAL(as<std::string>("\"\""), "");
    CHECK_EQUAL(as<List>("[ ]").size(), 0U);
    CHECK_EQUAL(as<Object>("{ }").size(), 0U);
    const Object object = as<Object>(R"({"a": [1, {"b": null}], "": 2.5})");
    CHECK_EQUAL(object.size(), 2U);
    CHECK_EQUAL(object.find("a")->second.get_if<List>()->size(), 2U);
    CHECK_EQUAL(*object.find("")->second.get_if<double>(), 2.5);
}

void numbers() {
    CHECK_EQUAL(as<std::int64_t>("0"), 0);
    CHECK_EQUAL(as<std::int64_t>("-0"), 0);
    CHECK_EQUAL(as<std::int64_t>("9223372036854775807"), INT64_MAX);
    CHECK_EQUAL(as<std::int64_t>("-9223372036854775808"), INT64_MIN);
    CHECK_EQUAL(as<double>("9223372036854775808"), 0x1p63);
    CHECK_EQUAL(as<double>("0.1"), 0.1);
    CHECK_EQUAL(as<double>("1e-05"), 1e-5);
    CHECK_EQUAL(as<double>("1.7976931348623157e308"), 1.7976931348623157e308);
    CHECK_EQUAL(as<double>("5E-324"), 5e-324);
    CHECK_EQUAL(as<double>("-2.5e+1"), -25.0);
    for (const char* wrong : {"1e400", "-1e400", "1e-400", "01", "-", "+1", ".5", "1.", "1e", "1e+",
                              "0x1", "NaN", "Infinity", "-Infinity", "1 2"}) {
        CHECK_THROWS(parse(wrong), Error, "at byte");
    }
    CHECK_THROWS(parse(std::string(400, '9')), Error, "beyond doubles");
}

void texts() {
    CHECK_EQUAL(as<std::string>(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
    CHECK_EQUAL(as<std::string>(R"("\u0041\u00e4\u20ac\ud83d\ude00")"),
                "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK_EQUAL(as<std::string>("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
                "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK_EQUAL(as<std::string>(R"("\u0000")"), std::string(1, '\0'));
    for (const char* wrong :
         {"\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud83d\"", "\"\\ud83d\\u0041\"",
          "\"\\ude00\"", "\"\n\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xc3\"", "\"\xe0\x80\x80\"",
          "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf8\x88\x80\x80\x80\"", "'a'"}) {
        CHECK_THROWS(parse(wrong), Error, "at byte");
    }
}

void structure() {
    for (const char* wrong :
         {"", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"", "{\"a\":", "{\"a\":1",
          "{\"a\":1,}", "{a:1}", "{1:1}", "]", "nul", "truefalse", "[1]]", "{\"a\":1 \"b\":2}"}) {
        CHECK_THROWS(parse(wrong), Error, "at byte");
    }
    CHECK_THROWS(parse(R"({"a":1,"a":1})"), Error, "a name stands twice");
    CHECK_THROWS(parse(std::string(1, '\0')), Error, "a value is expected");
    std::string deep(64, '[');
    CHECK_EQUAL(as<List>(deep + std::string(64, ']')).size(), 1U);
    CHECK_THROWS(parse(std::string(100'000, '[')), Error, "too deeply");
    std::string deep_objects;
    for (int i = 0; i < 100'000; ++i) deep_objects += "{\"a\":";
    CHECK_THROWS(parse(deep_objects), Error, "too deeply");
}

}  // namespace

int main() {
    values();
    numbers();
    texts();
    structure();
    return check::report();
}
