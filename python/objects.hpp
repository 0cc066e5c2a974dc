// Types of Python's made with CPython's own interface, by which a call reads few lines of memory: a
// function of C++ for each method, exceptions turned into errors, and values of both kinds.
#pragma once

#include <Python.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headrace/headrace.hpp"

namespace objects {

// ---- errors and references ----

struct PythonError {};  // one is set

struct DropReference {
    void operator()(PyObject* object) const { Py_DECREF(object); }
};
using Owned = std::unique_ptr<PyObject, DropReference>;

inline Owned owned(PyObject* object) {
    if (object == nullptr) throw PythonError();
    return Owned(object);
}

// None stands for no object.
inline Owned share(PyObject* object) {
    if (object == nullptr) object = Py_None;
    Py_INCREF(object);
    return Owned(object);
}

// Sets Python's error to the exception in flight.
inline PyObject* raise() noexcept {
    try {
        throw;
    } catch (const PythonError&) {
    } catch (const headrace::Interrupted&) {  // a handler of signals has raised
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::domain_error& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::length_error& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

// ---- names ----

// Interned, so that one pointer tells whether a name of the caller's code is this one. False with
// an exception set.
inline bool intern(PyObject*& name, const char* text) {
    if (name == nullptr) name = PyUnicode_InternFromString(text);
    return name != nullptr;
}

template <std::size_t n>
bool intern(std::array<PyObject*, n>& names, const std::array<const char*, n>& texts) {
    for (std::size_t i = 0; i < n; ++i) {
        if (!intern(names[i], texts[i])) return false;
    }
    return true;
}

// ---- objects ----

template <class Content>
struct Object {
    PyObject head;
    Content content;
};

template <class Content>
Content& content_of(PyObject* self) {
    return reinterpret_cast<Object<Content>*>(self)->content;
}

// Gives back the memory of an object that has no content, or none any more.
inline void release(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

template <class Content, class... Given>
Owned make(PyTypeObject* type, Given&&... given) {
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) throw PythonError();
    try {
        new (&content_of<Content>(self)) Content{std::forward<Given>(given)...};
    } catch (...) {
        if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
        release(self);
        throw;
    }
    return Owned(self);
}

template <class Content>
void destroy(PyObject* self) {
    if (PyType_IS_GC(Py_TYPE(self))) PyObject_GC_UnTrack(self);
    content_of<Content>(self).~Content();
    release(self);
}

// ---- methods ----

using Arguments = std::span<PyObject* const>;

// A method of so many arguments, all by position, from a function of the content.
template <class Content, Owned (*function)(Content&, Arguments), Py_ssize_t count>
PyObject* call(PyObject* self, PyObject* const* given, Py_ssize_t n_given) {
    if (n_given != count) {
        return PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", count, n_given);
    }
    try {
        return function(content_of<Content>(self), {given, static_cast<std::size_t>(count)})
            .release();
    } catch (...) {
        return raise();
    }
}

template <class Content, Owned (*function)(Content&, Arguments), Py_ssize_t count = 0>
PyMethodDef method(const char* name, const char* text) {
    const auto plain = reinterpret_cast<void (*)()>(&call<Content, function, count>);
    return {name, reinterpret_cast<PyCFunction>(plain), METH_FASTCALL, text};
}

template <Owned (*function)(PyObject*)>
PyObject* get(PyObject* self, void*) {
    try {
        return function(self).release();
    } catch (...) {
        return raise();
    }
}

template <Owned (*function)(PyObject*)>
PyGetSetDef property(const char* name, const char* text) {
    return {name, &get<function>, nullptr, text, nullptr};
}

// ---- values to Python ----

inline Owned of(double value) {
    return owned(PyFloat_FromDouble(value));
}
inline Owned of(bool value) {
    return owned(PyBool_FromLong(value ? 1 : 0));
}
inline Owned of(std::int64_t value) {
    return owned(PyLong_FromLongLong(value));
}
inline Owned of(std::size_t value) {
    return owned(PyLong_FromSize_t(value));
}
inline Owned of(const std::string& value) {
    return owned(PyUnicode_FromStringAndSize(value.data(), static_cast<Py_ssize_t>(value.size())));
}
inline Owned of(Owned&& value) {
    return std::move(value);
}

inline Owned none() {
    return share(Py_None);
}

// A tuple of what `item` makes of each place.
template <class Item>
Owned tuple_of(std::size_t size, const Item& item) {
    Owned tuple = owned(PyTuple_New(static_cast<Py_ssize_t>(size)));
    for (std::size_t i = 0; i < size; ++i) {
        PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), of(item(i)).release());
    }
    return tuple;
}

template <class... Values>
Owned together(Values&&... values) {
    std::array<Owned, sizeof...(Values)> items{of(std::forward<Values>(values))...};
    return tuple_of(items.size(), [&](std::size_t i) { return std::move(items[i]); });
}

inline Owned floats(const std::vector<double>& values) {
    return tuple_of(values.size(), [&](std::size_t i) { return values[i]; });
}

// ---- values from Python ----

inline std::int64_t integer(PyObject* given) {
    const long long value = PyLong_AsLongLong(given);
    if (value == -1 && PyErr_Occurred() != nullptr) throw PythonError();
    return value;
}

inline double number(PyObject* given) {
    const double value = PyFloat_AsDouble(given);
    if (value == -1.0 && PyErr_Occurred() != nullptr) throw PythonError();
    return value;
}

inline bool truth(PyObject* given) {
    const int value = PyObject_IsTrue(given);
    if (value < 0) throw PythonError();
    return value != 0;
}

// Numbers of one query, while this lives: none, a tuple of floats, or an array of them.
class Numbers {
public:
    Numbers(PyObject* given, const char* name) {
        if (given == Py_None) return;
        if (PyTuple_Check(given)) {
            take_tuple(given, name);
        } else {
            take_array(given, name);
        }
    }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;
    ~Numbers() {
        if (view_.obj != nullptr) PyBuffer_Release(&view_);
    }

    std::span<const double> get() const { return numbers_; }

private:
    void take_tuple(PyObject* tuple, const char* name) {
        const Py_ssize_t size = PyTuple_GET_SIZE(tuple);
        room_.reserve(static_cast<std::size_t>(size));
        for (Py_ssize_t i = 0; i < size; ++i) {
            PyObject* item = PyTuple_GET_ITEM(tuple, i);
            if (!PyFloat_CheckExact(item)) refuse(name);
            room_.push_back(PyFloat_AS_DOUBLE(item));
        }
        numbers_ = room_;
    }

    void take_array(PyObject* array, const char* name) {
        if (PyObject_GetBuffer(array, &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
            throw PythonError();
        }
        const bool doubles = view_.format != nullptr && std::string_view(view_.format) == "d";
        if (!doubles || view_.ndim > 1) {
            PyBuffer_Release(&view_);  // sets obj to null
            refuse(name);
        }
        numbers_ = {static_cast<const double*>(view_.buf),
                    static_cast<std::size_t>(view_.len) / sizeof(double)};
    }

    [[noreturn]] static void refuse(const char* name) {
        PyErr_Format(PyExc_TypeError, "%s must be floats, in no more than one dimension", name);
        throw PythonError();
    }

    std::vector<double> room_;
    Py_buffer view_{};
    std::span<const double> numbers_;
};

// ---- types ----

// Makes a type, whose objects are made by functions of the module alone: one that Python made would
// hold nothing.
template <class Content>
PyTypeObject* make_type(const char* name, unsigned flags, std::span<const PyType_Slot> more) {
    std::vector<PyType_Slot> slots(more.begin(), more.end());
    slots.push_back({Py_tp_dealloc, reinterpret_cast<void*>(&destroy<Content>)});
    slots.push_back({0, nullptr});
    PyType_Spec spec = {
        name, static_cast<int>(sizeof(Object<Content>)), 0,
        static_cast<unsigned>(Py_TPFLAGS_DEFAULT) | flags |
            static_cast<unsigned>(Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE),
        slots.data()};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace objects
