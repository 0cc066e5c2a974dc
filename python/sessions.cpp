// A service makes a session for each query and asks it once or twice, with the caches full of what
// it did in between. So the types are made with CPython's own interface, by which a call reads few
// lines of memory.
#include "sessions.hpp"

#include <array>
#include <atomic>
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
#include "headrace/router.hpp"
#include "interrupts.hpp"

namespace {

// ---- objects and errors ----

struct PythonError {};  // one is set

struct DropReference {
    void operator()(PyObject* object) const { Py_DECREF(object); }
};
using Owned = std::unique_ptr<PyObject, DropReference>;

Owned owned(PyObject* object) {
    if (object == nullptr) throw PythonError();
    return Owned(object);
}

// Sets Python's error to the exception in flight.
PyObject* raise() noexcept {
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

// What Python holds of a router.
using Router = std::shared_ptr<const headrace::Router>;

// What Python holds of a session.
struct Session {
    explicit Session(const Router& router) : session(router) {}

    headrace::Session session;
    std::vector<double> seen;  // signals of what has run, in turn
    std::atomic<bool> in_use{false};
};

template <class Content>
struct Object {
    PyObject head;
    Content content;
};

template <class Content>
Content& content_of(PyObject* self) {
    return reinterpret_cast<Object<Content>*>(self)->content;
}

template <class Content>
PyTypeObject* type_of = nullptr;  // once the module is made

template <class Content, class... Given>
Owned make(const Given&... given) {
    PyTypeObject* type = type_of<Content>;
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) throw PythonError();
    try {
        new (&content_of<Content>(self)) Content(given...);
    } catch (...) {
        type->tp_free(self);
        Py_DECREF(type);
        throw;
    }
    return Owned(self);
}

template <class Content>
void destroy(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    content_of<Content>(self).~Content();
    type->tp_free(self);
    Py_DECREF(type);
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

template <class Content, Owned (*function)(Content&, Arguments)>
PyObject* get(PyObject* self, void*) {
    return call<Content, function, 0>(self, nullptr, 0);
}

template <class Content, Owned (*function)(Content&, Arguments)>
PyGetSetDef property(const char* name, const char* text) {
    return {name, &get<Content, function>, nullptr, text, nullptr};
}

// ---- values ----

Owned of(double value) {
    return owned(PyFloat_FromDouble(value));
}
Owned of(bool value) {
    return owned(PyBool_FromLong(value ? 1 : 0));
}
Owned of(std::int64_t value) {
    return owned(PyLong_FromLongLong(value));
}
Owned of(std::size_t value) {
    return owned(PyLong_FromSize_t(value));
}
Owned of(const std::string& value) {
    return owned(PyUnicode_FromStringAndSize(value.data(), static_cast<Py_ssize_t>(value.size())));
}
Owned of(Owned&& value) {
    return std::move(value);
}

Owned nothing() {
    Py_INCREF(Py_None);
    return Owned(Py_None);
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

Owned floats(const std::vector<double>& values) {
    return tuple_of(values.size(), [&](std::size_t i) { return values[i]; });
}

std::int64_t integer(PyObject* given) {
    const long long value = PyLong_AsLongLong(given);
    if (value == -1 && PyErr_Occurred() != nullptr) throw PythonError();
    return value;
}

std::size_t model_of(PyObject* given) {
    const std::size_t model = PyLong_AsSize_t(given);
    if (model == static_cast<std::size_t>(-1) && PyErr_Occurred() != nullptr) throw PythonError();
    return model;
}

bool truth(PyObject* given) {
    const int value = PyObject_IsTrue(given);
    if (value < 0) throw PythonError();
    return value != 0;
}

// Views a text, which must live as long as the label. One that is not Unicode was never fitted on.
headrace::Label label_of(PyObject* given) {
    if (given == Py_None) return {};
    if (PyUnicode_Check(given)) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(given, &size);
        if (text == nullptr) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeError) == 0) throw PythonError();
            PyErr_Clear();
            return {};
        }
        return std::string_view(text, static_cast<std::size_t>(size));
    }
    if (PyFloat_Check(given)) return PyFloat_AS_DOUBLE(given);
    return integer(given);
}

// Numbers of one query, while this lives: none, a float, a list of floats, or an array of them.
class Numbers {
public:
    Numbers(PyObject* given, const char* name) {
        if (given == Py_None) return;
        if (PyFloat_CheckExact(given)) {
            one_ = PyFloat_AS_DOUBLE(given);
            numbers_ = {&one_, 1};
        } else if (PyList_Check(given)) {
            take_list(given, name);
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
    void take_list(PyObject* list, const char* name) {
        const Py_ssize_t size = PyList_GET_SIZE(list);
        room_.reserve(static_cast<std::size_t>(size));
        for (Py_ssize_t i = 0; i < size; ++i) {
            const Owned item = owned(PySequence_GetItem(list, i));
            if (!PyFloat_CheckExact(item.get())) refuse(name);
            room_.push_back(PyFloat_AS_DOUBLE(item.get()));
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

    double one_ = 0.0;
    std::vector<double> room_;
    Py_buffer view_{};
    std::span<const double> numbers_;
};

// ---- routers ----

Owned models(Router& router, Arguments) {
    const std::vector<std::string>& names = router->models();
    return tuple_of(names.size(), [&](std::size_t i) -> const std::string& { return names[i]; });
}

Owned n_rows(Router& router, Arguments) {
    return of(router->n_rows());
}

Owned start(Router& router, Arguments given) {
    const Numbers features(given[0], "features");
    const Numbers surcharge(given[4], "surcharge");
    Owned made = make<Session>(router);
    content_of<Session>(made.get())
        .session.start({features.get(), label_of(given[1]), truth(given[2]), integer(given[3]),
                        surcharge.get()});
    return made;
}

PyObject* read_router(PyObject*, PyObject* given) {
    char* content = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(given, &content, &size) != 0) return nullptr;
    PyThreadState* const unlocked = PyEval_SaveThread();
    Router router;
    std::exception_ptr failure;
    try {
        router = headrace::Router::from_bytes(
            {reinterpret_cast<const unsigned char*>(content), static_cast<std::size_t>(size)});
    } catch (...) {
        failure = std::current_exception();
    }
    PyEval_RestoreThread(unlocked);
    try {
        if (failure) std::rethrow_exception(failure);
        return make<Router>(router).release();
    } catch (...) {
        return raise();
    }
}

// ---- sessions ----

// The use of a session by one call. A second one at the same time would break it: from another
// thread, or from a handler of signals.
class Use {
public:
    explicit Use(Session& held) : held_(held) {
        if (held.in_use.exchange(true, std::memory_order_acquire)) {
            throw std::runtime_error("this session is in use by another thread");
        }
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { held_.in_use.store(false, std::memory_order_release); }

    headrace::Session* operator->() const { return &held_.session; }

private:
    Session& held_;
};

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

Owned next_model(Session& held, Arguments) {
    const Use session(held);
    std::int64_t next = 0;
    {
        Unlocking lock;
        next = session->next_model([&lock] { return lock.poll(); });
    }
    return of(next);
}

Owned observe(Session& held, Arguments given) {
    const Use session(held);
    const std::size_t model = model_of(given[0]);
    const Numbers signals(given[1], "signals");
    const std::span<const double> known = signals.get();
    const std::size_t before = held.seen.size();
    held.seen.insert(held.seen.end(), known.begin(), known.end());
    try {
        session->observe(model, known);
    } catch (...) {
        held.seen.resize(before);
        throw;
    }
    return nothing();
}

Owned exclude(Session& held, Arguments given) {
    const Use session(held);
    const std::size_t model = model_of(given[0]);
    if (!session->is_excluded(model)) session->exclude(model);
    return nothing();
}

Owned answer(Session& held, Arguments) {
    const Use session(held);
    return of(session->path().empty() ? std::int64_t{-1}
                                      : static_cast<std::int64_t>(session->answer()));
}

Owned ran(Session& held, Arguments) {
    const Use session(held);
    const std::span<const std::size_t> path = session->path();
    return tuple_of(path.size(), [&](std::size_t i) { return path[i]; });
}

Owned seen(Session& held, Arguments) {
    const Use session(held);
    const std::size_t n_ran = session->path().size();
    const std::size_t each = n_ran == 0 ? 0 : held.seen.size() / n_ran;
    return tuple_of(n_ran, [&](std::size_t run) {
        return tuple_of(each, [&](std::size_t i) { return held.seen[run * each + i]; });
    });
}

Owned estimates(Session& held, Arguments) {
    const Use session(held);
    const std::size_t k = session->router().n_models();
    std::vector<double> qualities(k), costs(k), deviations(k);
    session->estimates(qualities, costs, deviations);
    return together(floats(qualities), floats(costs), floats(deviations));
}

Owned choice(Session& held, Arguments) {
    const Use session(held);
    const headrace::Choice& chosen = session->choice();
    const std::span<const std::uint8_t> truths = session->supermodel();
    return together(tuple_of(truths.size(), [&](std::size_t i) { return truths[i] != 0; }),
                    chosen.tradeoff, chosen.quality, chosen.cost, chosen.upper_bound,
                    chosen.optimal, chosen.nodes);
}

// ---- the module ----

template <class Content>
bool add_type(PyObject* module, const char* name, const char* text, PyMethodDef* methods,
              PyGetSetDef* properties) {
    if (type_of<Content> == nullptr) {
        PyType_Slot slots[] = {
            {Py_tp_doc, const_cast<char*>(text)},
            {Py_tp_dealloc, reinterpret_cast<void*>(&destroy<Content>)},
            {Py_tp_methods, methods},
            {Py_tp_getset, properties},
            {0, nullptr},
        };
        // Objects are made by functions of the module alone: one that Python made would hold
        // nothing.
        PyType_Spec spec = {
            name, static_cast<int>(sizeof(Object<Content>)), 0,
            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
            slots};
        type_of<Content> = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    }
    return type_of<Content> != nullptr && PyModule_AddType(module, type_of<Content>) == 0;
}

}  // namespace

bool add_sessions(PyObject* module) {
    static PyMethodDef of_router[] = {
        method<Router, start, 5>("start",
                                 "start($self, features, group, dearer, row, surcharge, /)\n--\n\n"
                                 "Return the session of a query."),
        {},
    };
    static PyGetSetDef router_has[] = {
        property<Router, models>("models", "Their names."),
        property<Router, n_rows>("n_rows", "Rows that there are estimates of."),
        {},
    };
    static PyMethodDef of_session[] = {
        method<Session, next_model>("next_model", "next_model($self, /)\n--\n\n"),
        method<Session, observe, 2>("observe", "observe($self, model, signals, /)\n--\n\n"),
        method<Session, exclude, 1>("exclude", "exclude($self, model, /)\n--\n\n"),
        method<Session, answer>("answer", "answer($self, /)\n--\n\n"),
        method<Session, seen>("seen", "seen($self, /)\n--\n\n"),
        method<Session, estimates>("estimates", "estimates($self, /)\n--\n\n"),
        method<Session, choice>("choice", "choice($self, /)\n--\n\n"),
        {},
    };
    static PyGetSetDef session_has[] = {
        property<Session, ran>("ran", "Models that have run, in turn."),
        {},
    };
    static PyMethodDef functions[] = {
        {"read_router", &read_router, METH_O,
         "read_router($module, content, /)\n--\n\nThe router of what a file of one holds."},
        {},
    };
    return add_type<Router>(module, "headrace._core.Router",
                            "A fitted router; immutable, so that threads share it.", of_router,
                            router_has) &&
           add_type<Session>(module, "headrace._core.Session",
                             "One query; of one thread at a time.", of_session, session_has) &&
           PyModule_AddFunctions(module, functions) == 0;
}
