// Fitted routers and their sessions, as Python sees them.
#pragma once

#include <Python.h>

// Adds read_router and the types Router and Session to the module. False with an exception set.
bool add_sessions(PyObject* module);
