// Routers and their sessions. A service makes a session for each query and asks it once or twice,
// with the caches full of what it did in between. So what a session does as a rule is done here,
// and Python does what is out of the ordinary: `headrace._session` says which is which.
#include "sessions.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headrace/headrace.hpp"
#include "headrace/router.hpp"
#include "interrupts.hpp"
#include "objects.hpp"
#include "shortcut.hpp"

namespace {

using namespace objects;

// What Python holds of a router.
struct Router {
    std::shared_ptr<const headrace::Router> router;
    Owned models;    // names, in a tuple
    Owned sessions;  // their type
};

constexpr std::int64_t kUndecided = headrace::kStop - 1;

// What Python holds of a session, and what a session holds of Python.
struct Session {
    explicit Session(const Router& router)
        : session(router.router), models(share(router.models.get())) {}

    headrace::Session session;
    Owned models, features, groups, decider, pace, excluded;
    std::vector<double> seen;  // signals of what has run, in turn
    std::int64_t row = 0;
    double cost = 0.0;
    double seconds = 0.0;
    std::atomic<std::int64_t> next{kUndecided};  // the last decision, unless more is known since
    std::atomic<bool> in_use{false};
    bool dearer = false;
};

// Once the module is made.
PyTypeObject* router_type = nullptr;
PyTypeObject* session_type = nullptr;
PyObject* random_module = nullptr;

// Interned.
enum Name : std::size_t {
    kCompiled,
    kCost,
    kDeadline,
    kDearer,
    kGroup,
    kIndex,
    kLatency,
    kMade,
    kObserve,
    kRandom,
    kSeconds,
    kSeed,
    kSignal,
    kNames
};
constexpr std::array<const char*, kNames> kTexts = {
    "compiled", "cost",    "deadline", "dearer",  "group", "index", "latency",
    "_made",    "observe", "random",   "seconds", "seed",  "signal"};
std::array<PyObject*, kNames> names{};

// ---- routers ----

Owned models(PyObject* self) {
    return share(content_of<Router>(self).models.get());
}

Owned n_rows(PyObject* self) {
    return of(content_of<Router>(self).router->n_rows());
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

// What a session keeps for Python.
struct Kept {
    PyObject* features = Py_None;
    PyObject* groups = Py_None;
    PyObject* decider = Py_None;
    PyObject* pace = Py_None;
};

Owned begin(const Router& router, const headrace::Start& query, const Kept& kept) {
    Owned made = make<Session>(reinterpret_cast<PyTypeObject*>(router.sessions.get()), router);
    Session& held = content_of<Session>(made.get());
    held.session.start(query);
    held.features = share(kept.features);
    held.groups = share(kept.groups);
    held.decider = share(kept.decider);
    held.pace = share(kept.pace);
    held.row = query.row;
    held.dearer = query.dearer;
    return made;
}

Owned start(Router& router, Arguments given) {
    const Numbers known(given[0], "features");
    const Numbers surcharge(given[4], "surcharge");
    return begin(router,
                 {.features = known.get(),
                  .group = label_of(given[1]),
                  .dearer = truth(given[2]),
                  .row = integer(given[3]),
                  .surcharge = surcharge.get()},
                 {.features = given[0], .groups = given[5], .decider = given[6], .pace = given[7]});
}

PyObject* read_router(PyObject*, PyObject* const* given, Py_ssize_t n_given) {
    if (n_given < 1 || n_given > 2) {
        return PyErr_Format(PyExc_TypeError, "expected 1 or 2 arguments, got %zd", n_given);
    }
    PyObject* sessions = n_given == 2 ? given[1] : reinterpret_cast<PyObject*>(session_type);
    if (!PyType_Check(sessions) ||
        !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(sessions), session_type)) {
        PyErr_SetString(PyExc_TypeError, "sessions must be a type of headrace._core.Session");
        return nullptr;
    }
    char* content = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(given[0], &content, &size) != 0) return nullptr;
    PyThreadState* const unlocked = PyEval_SaveThread();
    std::shared_ptr<const headrace::Router> router;
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
        const std::vector<std::string>& models = router->models();
        Owned columns =
            tuple_of(models.size(), [&](std::size_t i) -> const std::string& { return models[i]; });
        return make<Router>(router_type,
                            Router{std::move(router), std::move(columns), share(sessions)})
            .release();
    } catch (...) {
        return raise();
    }
}

// ---- sessions: to decide ----

// The use of a session by one call. A second one at the same time would break it: from another
// thread, or from a handler of signals or of the garbage collector.
class Use {
public:
    explicit Use(Session& held) : held_(held) {
        if (held.in_use.exchange(true, std::memory_order_acquire)) {
            throw std::runtime_error("this session is in use by another call");
        }
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { held_.in_use.store(false, std::memory_order_release); }

    headrace::Session* operator->() const { return &held_.session; }

private:
    Session& held_;
};

std::int64_t choose(Session& held) {
    const Use session(held);
    Unlocking lock;
    const std::int64_t next = session->next_model([&lock] { return lock.poll(); });
    held.next = next;
    return next;
}

Owned choose(Session& held, Arguments) {
    return of(choose(held));
}

// The decision, which is taken when it is first asked for. Where time matters, Python asks the
// clock first.
std::int64_t decided(PyObject* self) {
    Session& held = content_of<Session>(self);
    const std::int64_t next = held.next;
    if (next != kUndecided) return next;
    if (held.pace.get() == Py_None) return choose(held);
    return integer(owned(PyObject_CallMethod(self, "_decide", nullptr)).get());
}

Owned name_of(const Session& held, std::int64_t model) {
    return model < 0 ? none() : share(PyTuple_GET_ITEM(held.models.get(), model));
}

Owned next_model(PyObject* self) {
    return name_of(content_of<Session>(self), decided(self));
}

Owned next_index(PyObject* self) {
    return of(decided(self));
}

Owned last_decision(PyObject* self) {
    const std::int64_t next = content_of<Session>(self).next;
    return next == kUndecided ? none() : of(next);
}

std::int64_t best(Session& held) {
    const Use session(held);
    return session->path().empty() ? headrace::kStop : static_cast<std::int64_t>(session->answer());
}

Owned best(Session& held, Arguments) {
    return of(best(held));
}

Owned answer(PyObject* self) {
    Session& held = content_of<Session>(self);
    return name_of(held, best(held));
}

// ---- sessions: to be told ----

void take_in(Session& held, std::size_t model, std::span<const double> signals, double spent,
             double passed) {
    const Use session(held);
    const std::size_t before = held.seen.size();
    held.seen.insert(held.seen.end(), signals.begin(), signals.end());
    try {
        session->observe(model, signals);
    } catch (...) {
        held.seen.resize(before);
        throw;
    }
    held.next = kUndecided;
    held.cost += spent;
    held.seconds += passed;
}

std::size_t model_of(PyObject* given) {
    const std::size_t model = PyLong_AsSize_t(given);
    if (model == static_cast<std::size_t>(-1) && PyErr_Occurred() != nullptr) throw PythonError();
    return model;
}

Owned take_in(Session& held, Arguments given) {
    const Numbers signals(given[1], "signals");
    take_in(held, model_of(given[0]), signals.get(), number(given[2]), number(given[3]));
    return none();
}

Owned take_out(Session& held, Arguments given) {
    const std::size_t model = model_of(given[0]);
    const double spent = number(given[2]);
    const Use session(held);
    if (!session->is_excluded(model)) session->exclude(model);
    held.next = kUndecided;
    held.cost += spent;
    if (given[1] == Py_None) return none();
    if (!held.excluded) held.excluded = owned(PyDict_New());
    if (PyDict_SetItem(held.excluded.get(), given[0], given[1]) != 0) throw PythonError();
    return none();
}

// What a session is told after a run.
struct Told {
    PyObject* model = nullptr;
    PyObject* signal = Py_None;
    PyObject* cost = Py_None;
    PyObject* latency = Py_None;
};

// As most are: with the names as the caller's code has them.
std::optional<Told> told_as_usual(PyObject* const* given, Py_ssize_t n_given, PyObject* keywords) {
    Told told;
    if (n_given < 1 || n_given > 2) return std::nullopt;
    told.model = given[0];
    if (n_given == 2) told.signal = given[1];
    const Py_ssize_t n_named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < n_named; ++i) {
        PyObject* const name = PyTuple_GET_ITEM(keywords, i);
        PyObject* const value = given[n_given + i];
        if (name == names[kCost]) {
            told.cost = value;
        } else if (name == names[kLatency]) {
            told.latency = value;
        } else if (name == names[kSignal] && n_given == 1) {
            told.signal = value;
        } else {
            return std::nullopt;
        }
    }
    return told;
}

bool is_amount(PyObject* given) {
    return given == Py_None || (PyFloat_CheckExact(given) && PyFloat_AS_DOUBLE(given) >= 0.0 &&
                                PyFloat_AS_DOUBLE(given) <= headrace::kLargestMagnitude);
}

double amount(PyObject* given) {
    return given == Py_None ? 0.0 : PyFloat_AS_DOUBLE(given);
}

// Takes in a run of the model that was asked for, where all that is told of it are floats.
bool take_in_as_usual(Session& held, const Told& told) {
    const std::int64_t next = held.next;
    if (next < 0 || !is_amount(told.cost) || !is_amount(told.latency)) return false;
    PyObject* const due = PyTuple_GET_ITEM(held.models.get(), next);
    if (told.model != due &&
        (!PyUnicode_CheckExact(told.model) || PyUnicode_Compare(told.model, due) != 0)) {
        return false;
    }
    const bool one = PyFloat_CheckExact(told.signal);
    if (held.session.router().n_signals() != (one ? 1U : 0U) || (!one && told.signal != Py_None)) {
        return false;
    }
    const double signal = one ? PyFloat_AS_DOUBLE(told.signal) : 0.0;
    if (!(std::abs(signal) <= headrace::kLargestMagnitude)) return false;
    take_in(held, static_cast<std::size_t>(next), {&signal, one ? 1U : 0U}, amount(told.cost),
            amount(told.latency));
    return true;
}

PyObject* observe(PyObject* self, PyObject* const* given, Py_ssize_t n_given, PyObject* keywords) {
    try {
        const std::optional<Told> told = told_as_usual(given, n_given, keywords);
        if (told && take_in_as_usual(content_of<Session>(self), *told)) return none().release();
        const Owned next_in_line = owned(PyObject_CallFunctionObjArgs(
            reinterpret_cast<PyObject*>(&PySuper_Type), session_type, self, nullptr));
        const Owned checked = owned(PyObject_GetAttr(next_in_line.get(), names[kObserve]));
        return PyObject_Vectorcall(checked.get(), given, static_cast<std::size_t>(n_given),
                                   keywords);
    } catch (...) {
        return raise();
    }
}

// ---- sessions: to tell ----

Owned cost(PyObject* self) {
    return of(content_of<Session>(self).cost);
}

Owned seconds(PyObject* self) {
    return of(content_of<Session>(self).seconds);
}

Owned dearer(PyObject* self) {
    return of(content_of<Session>(self).dearer);
}

template <Owned Session::* object>
Owned held(PyObject* self) {
    return share((content_of<Session>(self).*object).get());
}

Owned asked(PyObject* self) {
    const Session& held = content_of<Session>(self);
    return together(share(held.features.get()), share(held.groups.get()), held.row);
}

Owned path(PyObject* self) {
    const Use session(content_of<Session>(self));
    const std::span<const std::size_t> ran = session->path();
    return tuple_of(ran.size(), [&](std::size_t i) { return ran[i]; });
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

// A user's estimator or features may hold the session.
int traverse(PyObject* self, visitproc visit, void* arg) {
    const Session& held = content_of<Session>(self);
    Py_VISIT(Py_TYPE(self));
    for (const Owned* object :
         {&held.features, &held.groups, &held.decider, &held.pace, &held.excluded}) {
        Py_VISIT(object->get());
    }
    return 0;
}

int clear(PyObject* self) {
    Session& held = content_of<Session>(self);
    for (Owned* object : {&held.features, &held.groups, &held.decider, &held.excluded}) {
        object->reset();
    }
    held.pace = none();
    return 0;
}

// ---- a router of Python: to start sessions ----

// What a start is told as a rule: features in a list of floats, or none; the row; which policy.
struct StartCall {
    PyObject* router;
    PyObject* features = Py_None;
    PyObject* row = nullptr;
    PyObject* dearer = Py_None;
};

std::optional<StartCall> called_as_usual(PyObject* const* given, Py_ssize_t n_given,
                                         PyObject* keywords) {
    if (n_given < 1 || n_given > 2) return std::nullopt;
    StartCall call{given[0]};
    if (n_given == 2) call.features = given[1];
    const Py_ssize_t n_named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < n_named; ++i) {
        PyObject* const name = PyTuple_GET_ITEM(keywords, i);
        PyObject* const value = given[n_given + i];
        const auto is = [name](Name other) { return name == names[other]; };
        if (is(kIndex)) {
            call.row = value;
        } else if (is(kDearer)) {
            call.dearer = value;
        } else if (value != Py_None ||
                   !(is(kGroup) || is(kSeed) || is(kDeadline) || is(kSeconds))) {
            return std::nullopt;
        }
    }
    return call;
}

bool are_usual_features(PyObject* given, std::size_t n_features) {
    if (given == Py_None) return n_features == 0;
    if (!PyTuple_CheckExact(given) || n_features == 0) return false;
    if (static_cast<std::size_t>(PyTuple_GET_SIZE(given)) != n_features) return false;
    for (std::size_t i = 0; i < n_features; ++i) {
        PyObject* const item = PyTuple_GET_ITEM(given, static_cast<Py_ssize_t>(i));
        if (!PyFloat_CheckExact(item) ||
            !(std::abs(PyFloat_AS_DOUBLE(item)) <= headrace::kLargestMagnitude)) {
            return false;
        }
    }
    return true;
}

// What decides, if it has been made of what a router is now.
Owned decider_of(PyObject* router) {
    const Owned made(PyObject_GetAttr(router, names[kMade]));
    if (!made) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) throw PythonError();
        PyErr_Clear();
        return {};
    }
    if (!PyList_CheckExact(made.get()) || PyList_GET_SIZE(made.get()) == 0) return {};
#if PY_VERSION_HEX >= 0x030D0000  // threads may be at it at the same time
    return owned(PyList_GetItemRef(made.get(), 0));
#else
    return share(PyList_GET_ITEM(made.get(), 0));
#endif
}

// Whether the dearer policy decides; drawn if it is not said.
bool takes_dearer(const headrace::Router& router, PyObject* said) {
    if (said != Py_None) return said == Py_True;
    if (!(router.gamma() < 1.0)) return false;
    const Owned drawn = owned(PyObject_CallMethodNoArgs(random_module, names[kRandom]));
    return number(drawn.get()) >= router.gamma();
}

// The session, or none where Python has to look.
Owned begun_as_usual(const StartCall& call) {
    const Owned decider = decider_of(call.router);
    if (!decider) return {};
    const Owned compiled = owned(PyObject_GetAttr(decider.get(), names[kCompiled]));
    if (Py_TYPE(compiled.get()) != router_type) return {};
    const Router& held = content_of<Router>(compiled.get());
    const headrace::Router& router = *held.router;

    std::int64_t row = 0;
    if (call.row != nullptr) {
        if (!PyLong_CheckExact(call.row)) return {};
        int overflow = 0;
        row = PyLong_AsLongLongAndOverflow(call.row, &overflow);
        if (overflow != 0 || row < 0) return {};
    }
    if (router.n_rows() > 0 && static_cast<std::size_t>(row) >= router.n_rows()) return {};
    if (call.dearer != Py_None && !PyBool_Check(call.dearer)) return {};
    const Owned features = PyList_CheckExact(call.features) ? owned(PyList_AsTuple(call.features))
                                                            : share(call.features);
    if (!are_usual_features(features.get(), router.n_features())) return {};
    const Numbers known(features.get(), "features");
    return begin(held,
                 {.features = known.get(), .dearer = takes_dearer(router, call.dearer), .row = row},
                 {.features = features.get(), .decider = decider.get()});
}

PyObject* start_session(PyObject* self, PyObject* const* given, std::size_t n_given_and_flag,
                        PyObject* keywords) {
    try {
        const std::optional<StartCall> call =
            called_as_usual(given, PyVectorcall_NARGS(n_given_and_flag), keywords);
        if (call) {
            Owned begun = begun_as_usual(*call);
            if (begun) return begun.release();
        }
        return PyObject_Vectorcall(shortcuts::checked(self), given, n_given_and_flag, keywords);
    } catch (...) {
        return raise();
    }
}

PyObject* quick_start(PyObject*, PyObject* function) {
    try {
        return shortcuts::make(&start_session, function, {}).release();
    } catch (...) {
        return raise();
    }
}

}  // namespace

// ---- the module ----

bool add_sessions(PyObject* module) {
    static PyMethodDef of_router[] = {
        method<Router, start, 8>(
            "start",
            "start($self, features, group, dearer, row, surcharge, groups, decider, pace, /)"
            "\n--\n\nReturn the session of a query."),
        {},
    };
    static PyGetSetDef router_has[] = {
        property<models>("models", "Their names."),
        property<n_rows>("n_rows", "Rows that there are estimates of."),
        {},
    };
    static PyMethodDef of_session[] = {
        {"observe", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&observe)),
         METH_FASTCALL | METH_KEYWORDS,
         "observe($self, /, model, signal=None, *, cost=None, latency=None)\n--\n\n"
         "Tell that a model has run, and what is known of its answer."},
        method<Session, choose>("_choose", "_choose($self, /)\n--\n\n"),
        method<Session, best>("_best", "_best($self, /)\n--\n\n"),
        method<Session, take_in, 4>("_take_in",
                                    "_take_in($self, model, signals, spent, passed, /)\n--\n\n"),
        method<Session, take_out, 3>("_take_out",
                                     "_take_out($self, model, reason, spent, /)\n--\n\n"),
        method<Session, seen>("_seen", "_seen($self, /)\n--\n\n"),
        method<Session, estimates>("_estimates", "_estimates($self, /)\n--\n\n"),
        method<Session, choice>("_choice", "_choice($self, /)\n--\n\n"),
        {},
    };
    static PyGetSetDef session_has[] = {
        property<next_model>("next_model",
                             "Name of the model to run next; None says stop and give `answer`."),
        property<next_index>("next_index", "Column of the model to run next; -1 says stop."),
        property<answer>("answer", "Name of the model whose answer to give."),
        property<cost>("cost", "Money spent, as told to `observe` and `exclude`."),
        property<seconds>("seconds", "Time spent, as told to `observe`."),
        property<dearer>("dearer", "Whether the dearer of the two policies decides."),
        property<last_decision>("_next", nullptr),
        property<path>("_path", nullptr),
        property<asked>("_asked", nullptr),
        property<held<&Session::decider>>("_decider", nullptr),
        property<held<&Session::pace>>("_pace", nullptr),
        property<held<&Session::excluded>>("_excluded", nullptr),
        {},
    };
    static PyMethodDef functions[] = {
        {"read_router", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&read_router)),
         METH_FASTCALL,
         "read_router($module, content, sessions=Session, /)\n--\n\n"
         "The router of what a file of one holds, and the type of its sessions."},
        {"quick_start", &quick_start, METH_O,
         "quick_start($module, checked, /)\n--\n\n"
         "A method in place of the one that starts sessions in Python, which it calls for what is "
         "out of the ordinary."},
        {},
    };
    if (router_type == nullptr) {
        const std::array<PyType_Slot, 3> slots = {{
            {Py_tp_doc, const_cast<char*>("A fitted router; immutable, so that threads share it.")},
            {Py_tp_methods, of_router},
            {Py_tp_getset, router_has},
        }};
        router_type = make_type<Router>("headrace._core.Router", 0, slots);
    }
    if (session_type == nullptr) {
        const std::array<PyType_Slot, 5> slots = {{
            {Py_tp_doc, const_cast<char*>("One query; of one thread at a time.")},
            {Py_tp_methods, of_session},
            {Py_tp_getset, session_has},
            {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
            {Py_tp_clear, reinterpret_cast<void*>(&clear)},
        }};
        session_type = make_type<Session>("headrace._core.Session",
                                          Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots);
    }
    if (!intern(names, kTexts)) return false;
    if (random_module == nullptr) random_module = PyImport_Import(names[kRandom]);
    return router_type != nullptr && session_type != nullptr && random_module != nullptr &&
           PyModule_AddType(module, router_type) == 0 &&
           PyModule_AddType(module, session_type) == 0 &&
           PyModule_AddFunctions(module, functions) == 0;
}
