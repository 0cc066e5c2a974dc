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
