// A function in place of one of Python's: it does by itself what it is asked as a rule, and calls
// the other for all else.
#pragma once

#include <Python.h>

#include "objects.hpp"

namespace shortcuts {

// Makes one of Python's function, which is called with the same arguments. `helpers` is what else
// of Python the function in its place needs. It binds to objects as functions do, and has their
// attributes, of which functools.update_wrapper sets some.
objects::Owned make(vectorcallfunc call, PyObject* checked, objects::Owned helpers);

PyObject* checked(PyObject* self);
PyObject* helpers(PyObject* self);

// Makes the type. False with an exception set.
bool add_type();

}  // namespace shortcuts
