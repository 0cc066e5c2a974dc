// Ctrl-C and other signals, while a decision lasts.
#pragma once

#include <Python.h>

// Lets signal handlers run; true if one has raised. Any thread of Python's may ask, whether it
// holds the interpreter's lock or not.
inline bool signals_raise() {
    const PyGILState_STATE lock = PyGILState_Ensure();
    const bool raised = PyErr_CheckSignals() != 0;
    PyGILState_Release(lock);
    return raised;
}

// Most decisions take microseconds, less than it may take to get the interpreter's lock back. One
// that lasts until it polls goes on without the lock.
class Unlocking {
public:
    Unlocking() = default;
    Unlocking(const Unlocking&) = delete;
    Unlocking& operator=(const Unlocking&) = delete;
    ~Unlocking() {
        if (unlocked_ != nullptr) PyEval_RestoreThread(unlocked_);
    }

    bool poll() {
        if (unlocked_ == nullptr) unlocked_ = PyEval_SaveThread();
        return signals_raise();
    }

private:
    PyThreadState* unlocked_ = nullptr;
};
