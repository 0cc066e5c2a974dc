// The Python module headrace._core. Arrays arrive checked (headrace/_check.py); here only sizes are
// checked again, because memory safety depends on them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "headrace/headrace.hpp"
#include "headrace/rollout.hpp"
#include "headrace/router.hpp"

namespace py = pybind11;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;
template <class T>
using MaybeArray = std::optional<Array<T>>;

[[noreturn]] void bad_shape(const char* name) {
    throw std::invalid_argument(std::string("array of an unexpected shape: ") + name);
}

// Rows of width elements; an array of one row serves all queries.
template <class T>
headrace::Rows<T> rows(const Array<T>& array, const char* name, std::size_t n_queries,
                       std::size_t width) {
    if (array.ndim() < 1) bad_shape(name);
    const auto n_rows = static_cast<std::size_t>(array.shape(0));
    const auto size = static_cast<std::size_t>(array.size());
    if ((n_rows != n_queries && n_rows != 1) || size != n_rows * width) bad_shape(name);
    return {array.data(), n_rows == n_queries ? width : 0};
}

template <class T>
headrace::Rows<T> rows(const MaybeArray<T>& array, const char* name, std::size_t n_queries,
                       std::size_t width) {
    return array ? rows(*array, name, n_queries, width) : headrace::Rows<T>{};
}

template <class T>
T* output(Array<T>& array, const char* name, std::size_t size) {
    if (static_cast<std::size_t>(array.size()) != size) bad_shape(name);
    return array.mutable_data();
}

// The chances of the nodes, the group of each query, and the scale.
using MaybeReveals =
    std::optional<std::tuple<Array<double>, Array<double>, Array<std::int64_t>, double>>;

headrace::Reveals reveals_of(const MaybeReveals& given, std::size_t n_queries,
                             std::size_t n_models) {
    if (!given) return {};
    const auto& [right, wrong, group, scale] = *given;
    if (right.ndim() != 3 || wrong.size() != right.size() ||
        static_cast<std::size_t>(right.shape(1)) != n_models ||
        static_cast<std::size_t>(group.size()) != n_queries) {
        bad_shape("reveals");
    }
    headrace::Reveals reveals;
    reveals.n_groups = static_cast<std::size_t>(right.shape(0));
    reveals.n_nodes = static_cast<std::size_t>(right.shape(2));
    reveals.right = right.data();
    reveals.wrong = wrong.data();
    reveals.group = {group.data(), 1};
    reveals.scale = scale;
    return reveals;
}

headrace::Ties ties_of(const std::string& name) {
    return name == "dearest" ? headrace::Ties::kDearest : headrace::Ties::kCheapest;
}

// Lets signal handlers run, Ctrl-C among them; true if one has raised.
bool signals_raise() {
    const py::gil_scoped_acquire lock;
    return PyErr_CheckSignals() != 0;
}

headrace::Execution execution_of(std::size_t n_threads) {
    headrace::Execution execution;
    execution.n_threads = n_threads;
    execution.poll = signals_raise;
    return execution;
}

void batch_select(const Array<double>& qualities, const Array<double>& costs,
                  const Array<double>& lambda, const MaybeArray<double>& sigmas,
                  const MaybeArray<double>& factor, const MaybeArray<bool>& ran,
                  const MaybeArray<double>& samples, const MaybeReveals& reveals,
                  const std::string& strategy, const std::string& search, std::size_t max_models,
                  bool fixed_order, const std::string& ties, std::size_t node_limit,
                  double time_limit, std::size_t n_threads, Array<std::int64_t> next_model,
                  Array<bool> supermodel, Array<double> tradeoff, Array<double> quality,
                  Array<double> cost, Array<double> upper_bound, Array<bool> optimal,
                  Array<std::int64_t> nodes) {
    if (qualities.ndim() != 2) bad_shape("qualities");
    headrace::Problem problem;
    const auto n = static_cast<std::size_t>(qualities.shape(0));
    const auto k = static_cast<std::size_t>(qualities.shape(1));
    problem.n_queries = n;
    problem.n_models = k;
    problem.qualities = rows(qualities, "qualities", n, k);
    problem.costs = rows(costs, "costs", n, k);
    problem.lambda = rows(lambda, "lambda_", n, 1);
    if (samples) {
        if (samples->ndim() != 2 || static_cast<std::size_t>(samples->shape(0)) != k) {
            bad_shape("samples");
        }
        problem.samples = samples->data();
        problem.n_samples = static_cast<std::size_t>(samples->shape(1));
        problem.factor = rows(factor, "factor", n, k * k);
    }
    problem.sigmas = rows(sigmas, "sigmas", n, k);
    problem.ran = rows(ran, "ran", n, k);
    problem.reveals = reveals_of(reveals, n, k);
    problem.strategy = strategy;
    problem.search = search;
    problem.max_models = max_models;
    problem.fixed_order = fixed_order;
    problem.ties = ties_of(ties);
    problem.node_limit = node_limit;
    problem.time_limit = time_limit;

    headrace::Selection selection;
    selection.next_model = output(next_model, "next_model", n);
    selection.supermodel = output(supermodel, "supermodel", n * k);
    selection.tradeoff = output(tradeoff, "tradeoff", n);
    selection.quality = output(quality, "quality", n);
    selection.cost = output(cost, "cost", n);
    selection.upper_bound = output(upper_bound, "upper_bound", n);
    selection.optimal = output(optimal, "optimal", n);
    selection.nodes = output(nodes, "nodes", n);

    try {
        const headrace::Execution execution = execution_of(n_threads);
        const py::gil_scoped_release unlock;
        headrace::batch_select(problem, selection, execution);
    } catch (const headrace::Interrupted&) {
        throw py::error_already_set();  // what the handler raised
    }
}

// Asks a Python function, and keeps what it returned until the next call.
class Asked final : public headrace::Forecaster {
public:
    Asked(const py::function& forecast, std::size_t n_models)
        : forecast_(forecast), n_models_(n_models) {}

    headrace::Forecast forecast(const std::vector<std::size_t>& ran,
                                const std::vector<std::size_t>& queries) override {
        const py::gil_scoped_acquire lock;
        const std::size_t n = queries.size();
        Array<std::int64_t> asked(static_cast<py::ssize_t>(n));
        std::copy(queries.begin(), queries.end(), asked.mutable_data());
        last_.emplace(forecast_(py::tuple(py::cast(ran)), asked).cast<Answer>());
        const auto& [qualities, costs, sigmas, factor, reveals] = *last_;
        headrace::Forecast found;
        found.qualities = rows(qualities, "qualities", n, n_models_);
        found.costs = rows(costs, "costs", n, n_models_);
        found.sigmas = rows(sigmas, "sigmas", n, n_models_);
        found.factor = rows(factor, "factor", 1, n_models_ * n_models_);
        found.reveals = reveals_of(reveals, n, n_models_);
        return found;
    }

private:
    using Answer = std::tuple<Array<double>, Array<double>, MaybeArray<double>, MaybeArray<double>,
                              MaybeReveals>;

    const py::function& forecast_;
    const std::size_t n_models_;
    std::optional<Answer> last_;
};

// An array that takes a vector's memory over.
template <class T>
py::array_t<T> array_of(std::vector<T>&& values, const std::vector<std::size_t>& shape) {
    auto owner = std::make_unique<std::vector<T>>(std::move(values));
    T* data = owner->data();
    const py::capsule keeper(owner.get(),
                             [](void* kept) { delete static_cast<std::vector<T>*>(kept); });
    owner.release();
    return py::array_t<T>(shape, data, keeper);
}

py::tuple roll_out(const py::function& forecast, std::size_t n_queries, std::size_t n_models,
                   const Array<double>& prices, const MaybeArray<double>& samples,
                   const std::string& strategy, const std::string& search, std::size_t max_models,
                   const std::string& ties, std::size_t n_threads) {
    if (prices.ndim() != 2) bad_shape("prices");
    headrace::RolloutProblem problem;
    problem.n_queries = n_queries;
    problem.n_models = n_models;
    problem.n_prices = static_cast<std::size_t>(prices.shape(0));
    problem.n_steps = static_cast<std::size_t>(prices.shape(1));
    problem.prices = prices.data();
    if (samples) {
        if (samples->ndim() != 2 || static_cast<std::size_t>(samples->shape(0)) != n_models) {
            bad_shape("samples");
        }
        problem.samples = samples->data();
        problem.n_samples = static_cast<std::size_t>(samples->shape(1));
    }
    problem.strategy = strategy;
    problem.search = search;
    problem.max_models = max_models;
    problem.ties = ties_of(ties);

    Asked asked(forecast, n_models);
    headrace::Rollouts found;
    try {
        const headrace::Execution execution = execution_of(n_threads);
        const py::gil_scoped_release unlock;
        found = headrace::roll_out(problem, asked, execution);
    } catch (const headrace::Interrupted&) {
        throw py::error_already_set();  // what the handler raised
    }
    const std::size_t n_prices = problem.n_prices;
    return py::make_tuple(
        array_of(std::move(found.paths), {n_prices, n_queries, found.n_steps}),
        array_of(std::move(found.answers), {n_prices, n_queries}),
        array_of(std::move(found.plans), {n_prices, n_queries, found.n_steps + 1, found.n_bytes}),
        array_of(std::move(found.decisions), {n_prices, n_queries}),
        array_of(std::move(found.estimates), {n_prices, n_queries}));
}

// ---- fitted routers ----

// What Python holds of a router.
struct SharedRouter {
    std::shared_ptr<const headrace::Router> router;
};

// Views a text, which must live as long as the label. One that is not Unicode was never fitted on.
headrace::Label label_of(const py::object& given) {
    if (given.is_none()) return {};
    if (PyUnicode_Check(given.ptr())) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(given.ptr(), &size);
        if (text == nullptr) {
            PyErr_Clear();
            return {};
        }
        return std::string_view(text, static_cast<std::size_t>(size));
    }
    if (PyFloat_Check(given.ptr())) return PyFloat_AS_DOUBLE(given.ptr());
    return given.cast<std::int64_t>();
}

SharedRouter read_router(const py::bytes& content) {
    const std::string_view view(content);
    const auto* data = reinterpret_cast<const unsigned char*>(view.data());
    const py::gil_scoped_release unlock;
    return {headrace::Router::from_bytes({data, view.size()})};
}

// What Python holds of a session.
struct HeldSession {
    headrace::Session session;
    std::vector<double> seen;  // signals of what has run, in turn
    std::atomic<bool> in_use{false};
};

// The use of a session by one call. A second one at the same time would break it: from another
// thread, or from a handler of signals.
class Use {
public:
    explicit Use(HeldSession& held) : held_(held) {
        if (held.in_use.exchange(true, std::memory_order_acquire)) {
            throw std::runtime_error("this session is in use by another thread");
        }
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { held_.in_use.store(false, std::memory_order_release); }

    headrace::Session* operator->() const { return &held_.session; }
    std::vector<double>& seen() const { return held_.seen; }

private:
    HeldSession& held_;
};

// Numbers of one query: in an array, in a list of floats, in a float, or none. Views them where
// they are, which is with the object or in `room`.
std::span<const double> numbers_of(const py::handle given, const char* name,
                                   std::vector<double>& room) {
    if (given.is_none()) return {};
    if (py::isinstance<Array<double>>(given)) {
        const auto array = py::reinterpret_borrow<Array<double>>(given);
        if (array.ndim() > 1) bad_shape(name);
        return {array.data(), static_cast<std::size_t>(array.size())};
    }
    const auto take = [&](const py::handle item) {
        if (!PyFloat_Check(item.ptr())) throw py::type_error(std::string(name) + " must be floats");
        room.push_back(PyFloat_AS_DOUBLE(item.ptr()));
    };
    room.clear();
    if (PyList_Check(given.ptr())) {
        for (const py::handle item : py::reinterpret_borrow<py::list>(given)) take(item);
    } else {
        take(given);
    }
    return room;
}

std::unique_ptr<HeldSession> start(const SharedRouter& shared, const py::object& features,
                                   const py::object& group, bool dearer, std::int64_t row,
                                   const py::object& surcharge) {
    std::vector<double> known, extra;
    auto held = std::make_unique<HeldSession>(headrace::Session(shared.router));
    held->session.start({numbers_of(features, "features", known), label_of(group), dearer, row,
                         numbers_of(surcharge, "surcharge", extra)});
    return held;
}

// Most decisions take microseconds, less than it may take to get the interpreter's lock back. One
// that lasts until it polls goes on without the lock.
std::int64_t next_model(HeldSession& held) {
    const Use session(held);
    std::optional<py::gil_scoped_release> unlock;
    const std::function<bool()> poll = [&unlock] {
        if (!unlock) unlock.emplace();
        return signals_raise();
    };
    try {
        return session->next_model(poll);
    } catch (const headrace::Interrupted&) {
        unlock.reset();
        throw py::error_already_set();  // what the handler raised
    }
}

void observe(HeldSession& held, std::size_t model, const py::object& signals) {
    const Use session(held);
    std::vector<double> room;
    const std::span<const double> known = numbers_of(signals, "signals", room);
    std::vector<double>& seen = session.seen();
    const std::size_t before = seen.size();
    seen.insert(seen.end(), known.begin(), known.end());
    try {
        session->observe(model, known);
    } catch (...) {
        seen.resize(before);
        throw;
    }
}

std::int64_t answer(HeldSession& held) {
    const Use session(held);
    return session->path().empty() ? -1 : static_cast<std::int64_t>(session->answer());
}

py::tuple ran(HeldSession& held) {
    const Use session(held);
    const std::span<const std::size_t> path = session->path();
    py::tuple models(path.size());
    for (std::size_t i = 0; i < path.size(); ++i) models[i] = path[i];
    return models;
}

py::array_t<double> seen(HeldSession& held) {
    const Use session(held);
    const std::size_t n_ran = session->path().size();
    return array_of(std::vector<double>(session.seen()),
                    {n_ran, n_ran == 0 ? 0 : session.seen().size() / n_ran});
}

py::tuple estimates(HeldSession& held) {
    const Use session(held);
    const std::size_t k = session->router().n_models();
    std::vector<double> qualities(k), costs(k), deviations(k);
    session->estimates(qualities, costs, deviations);
    return py::make_tuple(array_of(std::move(qualities), {k}), array_of(std::move(costs), {k}),
                          array_of(std::move(deviations), {k}));
}

py::tuple choice(HeldSession& held) {
    const Use session(held);
    const headrace::Choice& chosen = session->choice();
    const std::span<const std::uint8_t> truths = session->supermodel();
    py::array_t<bool> supermodel(static_cast<py::ssize_t>(truths.size()));
    std::copy(truths.begin(), truths.end(), supermodel.mutable_data());
    return py::make_tuple(supermodel, chosen.tradeoff, chosen.quality, chosen.cost,
                          chosen.upper_bound, chosen.optimal, chosen.nodes);
}

// Objects are made by functions of the module alone: one that Python made would hold nothing.
PyObject* refuse_new(PyTypeObject* type, PyObject*, PyObject*) {
    PyErr_Format(PyExc_TypeError, "%s is not made by calling it: see headrace.Router",
                 type->tp_name);
    return nullptr;
}

void bind_routers(py::module_& module) {
    const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
    const py::custom_type_setup made(
        [](PyHeapTypeObject* type) { type->ht_type.tp_new = refuse_new; });
    py::class_<SharedRouter>(module, "Router", plain, made, py::is_final(),
                             "A fitted router; immutable, so that threads share it.")
        .def_property_readonly("models",
                               [](const SharedRouter& shared) { return shared.router->models(); })
        .def_property_readonly("n_rows",
                               [](const SharedRouter& shared) { return shared.router->n_rows(); })
        .def("start", &start, py::arg("features"), py::arg("group"), py::arg("dearer"),
             py::arg("row"), py::arg("surcharge"));
    py::class_<HeldSession>(module, "Session", plain, made, py::is_final(),
                            "One query; of one thread at a time.")
        .def("next_model", &next_model)
        .def("observe", &observe, py::arg("model"), py::arg("signals"))
        .def(
            "exclude",
            [](HeldSession& held, std::size_t model) {
                const Use session(held);
                if (!session->is_excluded(model)) session->exclude(model);
            },
            py::arg("model"))
        .def("answer", &answer)
        .def_property_readonly("ran", &ran)
        .def("seen", &seen)
        .def("estimates", &estimates)
        .def("choice", &choice);
    module.def("read_router", &read_router, py::arg("content"),
               "The router of what a file of one holds.");
}

py::dict instruction_sets() {
    py::dict reasons;
    for (const headrace::InstructionSet& set : headrace::instruction_sets()) {
        const py::str name(set.name.data(), set.name.size());
        if (set.reason.empty()) {
            reasons[name] = py::none();
        } else {
            reasons[name] = set.reason;
        }
    }
    return reasons;
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
    module.doc() = "The compiled backend of headrace.";
    module.def(
        "batch_select", &batch_select, py::arg("qualities").noconvert(),
        py::arg("costs").noconvert(), py::arg("lambda_").noconvert(), py::arg("sigmas").noconvert(),
        py::arg("factor").noconvert(), py::arg("ran").noconvert(), py::arg("samples").noconvert(),
        py::arg("reveals").noconvert(), py::arg("strategy"), py::arg("search"),
        py::arg("max_models"), py::arg("fixed_order"), py::arg("ties"), py::arg("node_limit"),
        py::arg("time_limit"), py::arg("n_threads"), py::arg("next_model").noconvert(),
        py::arg("supermodel").noconvert(), py::arg("tradeoff").noconvert(),
        py::arg("quality").noconvert(), py::arg("cost").noconvert(),
        py::arg("upper_bound").noconvert(), py::arg("optimal").noconvert(),
        py::arg("nodes").noconvert(), "Decide a checked batch; writes to the outputs.");
    module.def("roll_out", &roll_out, py::arg("forecast"), py::arg("n_queries"),
               py::arg("n_models"), py::arg("prices").noconvert(), py::arg("samples").noconvert(),
               py::arg("strategy"), py::arg("search"), py::arg("max_models"), py::arg("ties"),
               py::arg("n_threads"),
               "Roll out at prices of shape (L, T): paths, answers, plans, decisions, estimates.");
    bind_routers(module);
    module.def("instruction_sets", &instruction_sets,
               "From each name, fastest first, to None or the reason why it is not available.");
    module.def("instruction_set", &headrace::instruction_set,
               "The name of the one in use; chosen now if nothing was decided yet.");
}
