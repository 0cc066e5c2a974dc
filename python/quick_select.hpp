// One decision from arrays, as Python asks for it.
#pragma once

#include <Python.h>

// Adds quick_select, sample_matrix and the type SampleMatrix to the module. False with an exception
// set.
bool add_quick_select(PyObject* module);
