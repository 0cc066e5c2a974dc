#include "shortcut.hpp"

#include <structmember.h>

#include <array>
#include <cstddef>
#include <utility>

namespace shortcuts {

namespace {

using namespace objects;

struct Shortcut {
    vectorcallfunc call;
    PyObject* checked;
    PyObject* helpers;
    PyObject* attributes;
    PyObject* weak_references;

    ~Shortcut() {
        if (weak_references != nullptr) {
            auto* const content = reinterpret_cast<char*>(this);
            PyObject_ClearWeakRefs(
                reinterpret_cast<PyObject*>(content - offsetof(Object<Shortcut>, content)));
        }
        Py_XDECREF(checked);
        Py_XDECREF(helpers);
        Py_XDECREF(attributes);
    }
};

PyTypeObject* type = nullptr;  // once the module is made

PyObject* bind(PyObject* self, PyObject* object, PyObject*) {
    return object == nullptr || object == Py_None ? share(self).release()
                                                  : PyMethod_New(self, object);
}

PyObject* repr(PyObject* self) {
    return PyObject_Repr(content_of<Shortcut>(self).checked);
}

// It is pickled and copied as functions are: by its name.
PyObject* reduce(PyObject* self, PyObject*) {
    return PyObject_GetAttrString(content_of<Shortcut>(self).checked, "__qualname__");
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    const Shortcut& held = content_of<Shortcut>(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(held.checked);
    Py_VISIT(held.helpers);
    Py_VISIT(held.attributes);
    return 0;
}

}  // namespace

Owned make(vectorcallfunc call, PyObject* checked, Owned helpers) {
    Owned function = share(checked);
    Owned made =
        objects::make<Shortcut>(type, call, function.get(), helpers.get(), nullptr, nullptr);
    function.release();
    helpers.release();
    return made;
}

PyObject* checked(PyObject* self) {
    return content_of<Shortcut>(self).checked;
}

PyObject* helpers(PyObject* self) {
    return content_of<Shortcut>(self).helpers;
}

bool add_type() {
    static PyMemberDef offsets[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(Object<Shortcut>, content.call), READONLY,
         nullptr},
        {"__dictoffset__", T_PYSSIZET, offsetof(Object<Shortcut>, content.attributes), READONLY,
         nullptr},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(Object<Shortcut>, content.weak_references),
         READONLY, nullptr},
        {},
    };
    static PyGetSetDef has[] = {
        {"__dict__", &PyObject_GenericGetDict, nullptr, nullptr, nullptr},
        {},
    };
    static PyMethodDef does[] = {
        {"__reduce__", &reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\n"},
        {},
    };
    if (type != nullptr) return true;
    const std::array<PyType_Slot, 7> slots = {{
        {Py_tp_members, offsets},
        {Py_tp_methods, does},
        {Py_tp_repr, reinterpret_cast<void*>(&repr)},
        {Py_tp_getset, has},
        {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
        {Py_tp_descr_get, reinterpret_cast<void*>(&bind)},
        {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    }};
    type = make_type<Shortcut>(
        "headrace._core.Shortcut",
        Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_HAVE_GC, slots);
    return type != nullptr;
}

}  // namespace shortcuts
