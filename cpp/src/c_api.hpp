// What the functions of the C interface share: exceptions into codes, structs that say their size.
#pragma once

#include <algorithm>
#include <string>

#include "headrace.h"

namespace headrace::c {

// Keeps a message for headrace_last_error() and returns the code.
int fail(int code, const char* message) noexcept;

// To be called within a catch (...): the code of what is caught, with its message kept.
int fail_as_caught() noexcept;

// Calls a function; what it throws becomes a code and a message.
template <class Function>
int guarded(const Function& function) noexcept {
    try {
        function();
        return HEADRACE_OK;
    } catch (...) {
        return fail_as_caught();
    }
}

[[noreturn]] void refuse(const std::string& message);  // std::invalid_argument

template <class T>
T& required(T* given, const char* name) {
    if (given == nullptr) refuse(std::string(name) + " must not be NULL");
    return *given;
}

// Structs say in their first field how many bytes the caller knows of them.
template <class Struct>
void check_size(const Struct* given, const char* name) {
    const std::size_t size = required(given, name).size;
    if (size >= sizeof(Struct)) return;
    refuse(std::string(name) + ".size must be sizeof(headrace_" + name + "), at least " +
           std::to_string(sizeof(Struct)) + ", got " + std::to_string(size));
}

// What the library knows of a struct; what it does not know must be zero.
template <class Struct>
Struct known_fields(const Struct* given, const char* name) {
    check_size(given, name);
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    const auto is_set = [](unsigned char byte) { return byte != 0; };
    if (std::any_of(bytes + sizeof(Struct), bytes + given->size, is_set)) {
        refuse(std::string(name) +
               " has fields of a newer headrace than the library: upgrade it or leave them zero");
    }
    return *given;
}

}  // namespace headrace::c
