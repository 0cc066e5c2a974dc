// Checks that name the place and the values, count their failures and go on.
#pragma once

#include <cstdio>
#include <sstream>
#include <string>

namespace check {

inline int failures = 0;
inline int passed = 0;

template <class A, class B>
void equal(const A& a, const B& b, const char* text, const char* file, int line) {
    if (a == b) {
        ++passed;
        return;
    }
    ++failures;
    std::ostringstream values;
    values.precision(17);
    values << a << " and " << b;
    std::printf("%s:%d: %s: %s\n", file, line, text, values.str().c_str());
}

// Returns the exit status of a test program.
inline int report() {
    std::printf("%d passed, %d failed\n", passed, failures);
    return failures == 0 && passed > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK_EQUAL(a, b) ::check::equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK(condition) \
    ::check::equal(static_cast<bool>(condition), true, #condition, __FILE__, __LINE__)

// The expression must throw this type, with this text in its message.
#define CHECK_THROWS(expression, type, text)                                                    \
    do {                                                                                        \
        std::string thrown_text = "nothing thrown";                                             \
        try {                                                                                   \
            expression;                                                                         \
        } catch (const type& error) {                                                           \
            thrown_text = error.what();                                                         \
        }                                                                                       \
        const bool found = thrown_text.find(text) != std::string::npos;                         \
        ::check::equal(found ? std::string(text) : thrown_text, std::string(text), #expression, \
                       __FILE__, __LINE__);                                                     \
    } while (false)
