// Marks what a shared library shows. In a static library nothing is marked, so that a library that
// holds it shows nothing of it.
#pragma once

#if !defined(HEADRACE_SHARED)
#define HEADRACE_API
#elif !defined(_WIN32)
#define HEADRACE_API __attribute__((visibility("default")))
#elif defined(headrace_EXPORTS)
#define HEADRACE_API __declspec(dllexport)
#else
#define HEADRACE_API __declspec(dllimport)
#endif
