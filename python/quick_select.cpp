// batch_select of one query: a service asks for one decision at a time, which takes less than the
// interpreter needs to look at the arguments. So arrays of the usual kind are taken as they are
// here, and the library checks their numbers. Whatever is out of the ordinary or out of order goes
// to the function of Python, which words the errors.
#include "quick_select.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "headrace/headrace.hpp"
#include "headrace/sample_matrix.hpp"
#include "interrupts.hpp"
#include "objects.hpp"
#include "shortcut.hpp"

namespace {

namespace py = pybind11;
using namespace objects;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// ---- sample matrices ----

struct Samples {
    std::unique_ptr<const headrace::SampleMatrix> matrix;
};

PyTypeObject* samples_type = nullptr;  // once the module is made

PyObject* sample_matrix(PyObject*, PyObject* given) {
    try {
        if (!Array<double>::check_(given) || py::cast<py::array>(given).ndim() != 2) {
            throw std::invalid_argument("samples must be C-contiguous float64 of shape (k, S)");
        }
        const auto samples = py::cast<Array<double>>(given);
        return make<Samples>(samples_type,
                             std::make_unique<const headrace::SampleMatrix>(
                                 samples.data(), static_cast<std::size_t>(samples.shape(0)),
                                 static_cast<std::size_t>(samples.shape(1))))
            .release();
    } catch (...) {
        return raise();
    }
}

// ---- what is asked ----

// In the order of the signature. The first are given by position or by name.
enum Argument : std::size_t {
    kQualities,
    kCosts,
    kLambda,
    kSigmas,
    kRan,
    kStrategy,
    kSearch,
    kMaxDepth,
    kFixedOrder,
    kTies,
    kNSamples,
    kSeed,
    kNodeLimit,
    kTimeLimit,
    kNThreads,
    kBackend,
    kArguments
};
constexpr std::size_t kPositional = kLambda + 1;
constexpr std::array<const char*, kArguments> kArgumentNames = {
    "qualities",  "costs",      "lambda_",     "sigmas", "ran",       "strategy",
    "search",     "max_depth",  "fixed_order", "ties",   "n_samples", "seed",
    "node_limit", "time_limit", "n_threads",   "backend"};
// Where they are said to be none, that is the default.
constexpr std::array<const char*, 2> kElsewhereNames = {"covariance", "samples"};
constexpr std::array<const char*, 8> kFieldNames = {
    "next_model", "supermodel", "tradeoff", "quality", "cost", "upper_bound", "optimal", "nodes"};

// Interned, once the module is made.
template <std::size_t n>
using Names = std::array<PyObject*, n>;
Names<kArguments> argument_names{};
Names<kElsewhereNames.size()> elsewhere_names{};
Names<kFieldNames.size()> field_names{};
PyObject* backend_variable = nullptr;
PyObject* environ_name = nullptr;
PyObject* get_name = nullptr;

using Given = std::array<PyObject*, kArguments>;  // null: not said

std::optional<Given> given_as_usual(PyObject* const* given, std::size_t n_given,
                                    PyObject* keywords) {
    Given found{};
    if (n_given > kPositional) return std::nullopt;
    std::copy(given, given + n_given, found.begin());
    const Py_ssize_t n_named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < n_named; ++i) {
        PyObject* const name = PyTuple_GET_ITEM(keywords, i);
        PyObject* const value = given[n_given + static_cast<std::size_t>(i)];
        const auto* const at = std::find(argument_names.begin(), argument_names.end(), name);
        if (at != argument_names.end()) {
            PyObject*& place = found[static_cast<std::size_t>(at - argument_names.begin())];
            if (place != nullptr) return std::nullopt;
            place = value;
        } else if (value != Py_None || std::find(elsewhere_names.begin(), elsewhere_names.end(),
                                                 name) == elsewhere_names.end()) {
            return std::nullopt;
        }
    }
    for (const Argument optional :
         {kSigmas, kRan, kMaxDepth, kNodeLimit, kTimeLimit, kNThreads, kBackend}) {
        if (found[optional] == Py_None) found[optional] = nullptr;
    }
    return found;
}

// What is needed of Python, as `headrace._shortcuts` hands it over.
enum Helper : Py_ssize_t { kOs, kArrayType, kSampleMatrixOf, kSelectionType };

PyObject* helper(PyObject* self, Helper which) {
    return PyTuple_GET_ITEM(shortcuts::helpers(self), which);
}

// ---- the problem ----

// Thrown where Python has to look.
struct Unusual {};

void expect(bool usual) {
    if (!usual) throw Unusual();
}

// Whether an array is of one query and not of too many models, and the others are there.
bool is_of_one(const Given& given, PyObject* array_type) {
    PyObject* const qualities = given[kQualities];
    if (qualities == nullptr || given[kCosts] == nullptr || given[kLambda] == nullptr) return false;
    if (reinterpret_cast<PyObject*>(Py_TYPE(qualities)) != array_type) return false;
    const auto array = py::reinterpret_borrow<py::array>(qualities);
    return array.ndim() == 2 && array.shape(0) == 1 && array.shape(1) >= 1 &&
           static_cast<std::size_t>(array.shape(1)) <= headrace::kMaxModels;
}

// How many dimensions an array may have.
struct Dimensions {
    py::ssize_t least, most;
};
constexpr Dimensions kOfQueries = {2, 2}, kOfQueriesOrAll = {1, 2}, kOfOne = {1, 1};

// An array of so many numbers, as one row; null if there is none.
template <class T>
const T* row_of(PyObject* given, PyObject* array_type, std::size_t n, Dimensions due) {
    if (given == nullptr) return nullptr;
    expect(reinterpret_cast<PyObject*>(Py_TYPE(given)) == array_type && Array<T>::check_(given));
    const auto array = py::reinterpret_borrow<Array<T>>(given);
    const py::ssize_t dims = array.ndim();
    const auto size = static_cast<py::ssize_t>(n);
    expect(dims >= due.least && dims <= due.most && array.shape(dims - 1) == size &&
           (dims == 1 || array.shape(0) == 1));
    const T* data = array.data();
    expect(reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0);
    return data;
}

std::string_view text_of(PyObject* given, std::string_view otherwise) {
    if (given == nullptr) return otherwise;
    expect(PyUnicode_CheckExact(given) && PyUnicode_IS_ASCII(given));
    return {static_cast<const char*>(PyUnicode_DATA(given)),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(given))};
}

// A positive integer, unless it is huge.
std::size_t count_of(PyObject* given, std::size_t otherwise) {
    if (given == nullptr) return otherwise;
    expect(PyLong_CheckExact(given));
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(given, &overflow);
    expect(overflow == 0 && value >= 1);
    return static_cast<std::size_t>(value);
}

// A positive number of seconds; 0 where there is no limit.
double limit_of(PyObject* given) {
    if (given == nullptr) return 0.0;
    expect(PyFloat_Check(given) && PyFloat_AS_DOUBLE(given) > 0.0);
    return PyFloat_AS_DOUBLE(given);
}

struct Asked {
    headrace::Problem problem;
    double lambda = 0.0;
    Owned samples;  // keeps the sample matrix
};

// The draws of a problem with deviations, for strategies that ask for them. What the sizes and the
// seed must be, Python says.
Owned samples_of(const Given& given, PyObject* self, std::size_t n_models) {
    static constexpr long kDefaultSamples = 128;
    const auto or_default = [](PyObject* said, long otherwise) {
        expect(said == nullptr || PyLong_CheckExact(said));
        return said == nullptr ? owned(PyLong_FromLong(otherwise)) : share(said);
    };
    const Owned k = of(n_models);
    const Owned count = or_default(given[kNSamples], kDefaultSamples);
    const Owned seed = or_default(given[kSeed], 0);
    const std::array<PyObject*, 3> asked = {k.get(), count.get(), seed.get()};
    Owned samples(
        PyObject_Vectorcall(helper(self, kSampleMatrixOf), asked.data(), asked.size(), nullptr));
    if (samples) return samples;
    if (PyErr_ExceptionMatches(PyExc_ValueError) == 0) throw PythonError();
    PyErr_Clear();
    throw Unusual();
}

void read(const Given& given, PyObject* self, Asked& asked) {
    PyObject* const array_type = helper(self, kArrayType);
    headrace::Problem& problem = asked.problem;
    const auto k =
        static_cast<std::size_t>(py::reinterpret_borrow<py::array>(given[kQualities]).shape(1));
    problem.n_queries = 1;
    problem.n_models = k;
    problem.qualities = {row_of<double>(given[kQualities], array_type, k, kOfQueries), k};
    problem.costs = {row_of<double>(given[kCosts], array_type, k, kOfQueriesOrAll), k};
    asked.lambda = PyFloat_Check(given[kLambda])
                       ? PyFloat_AS_DOUBLE(given[kLambda])
                       : *row_of<double>(given[kLambda], array_type, 1, kOfOne);
    problem.lambda = {&asked.lambda, 1};
    problem.sigmas = {row_of<double>(given[kSigmas], array_type, k, kOfQueriesOrAll), k};
    problem.ran = {row_of<bool>(given[kRan], array_type, k, kOfQueries), k};

    problem.strategy = text_of(given[kStrategy], problem.strategy);
    problem.search = text_of(given[kSearch], problem.search);
    const std::string_view ties = text_of(given[kTies], "cheapest");
    expect(ties == "cheapest" || ties == "dearest");
    problem.ties = ties == "dearest" ? headrace::Ties::kDearest : headrace::Ties::kCheapest;
    problem.max_models = std::min(count_of(given[kMaxDepth], k), k);
    expect(given[kMaxDepth] == nullptr || problem.strategy != "index");
    expect(given[kFixedOrder] == nullptr || PyBool_Check(given[kFixedOrder]));
    problem.fixed_order = given[kFixedOrder] == Py_True;
    problem.node_limit = count_of(given[kNodeLimit], 0);
    problem.time_limit = limit_of(given[kTimeLimit]);
    count_of(given[kNThreads], 1);  // one query is decided by one
    if (problem.sigmas) {
        asked.samples = samples_of(given, self, k);
        problem.sample_matrix = content_of<Samples>(asked.samples.get()).matrix.get();
    } else {
        expect(given[kNSamples] == nullptr && given[kSeed] == nullptr);
    }
}

// ---- the answer ----

Owned select(const headrace::Problem& problem, PyObject* type) {
    const auto k = static_cast<py::ssize_t>(problem.n_models);
    py::array_t<std::int64_t> next_model(1), nodes(1);
    py::array_t<bool> supermodel({py::ssize_t{1}, k}), optimal(1);
    py::array_t<double> tradeoff(1), quality(1), cost(1), upper_bound(1);
    headrace::Selection selection;
    selection.next_model = next_model.mutable_data();
    selection.supermodel = supermodel.mutable_data();
    selection.tradeoff = tradeoff.mutable_data();
    selection.quality = quality.mutable_data();
    selection.cost = cost.mutable_data();
    selection.upper_bound = upper_bound.mutable_data();
    selection.optimal = optimal.mutable_data();
    selection.nodes = nodes.mutable_data();
    {
        Unlocking lock;
        headrace::Execution execution;
        execution.poll = [&lock] { return lock.poll(); };
        headrace::batch_select(problem, selection, execution);
    }

    // A frozen dataclass: its own __init__ would take longer than the decision.
    auto* const class_ = reinterpret_cast<PyTypeObject*>(type);
    static PyObject* const nothing = PyTuple_New(0);
    Owned made = owned(class_->tp_new(class_, nothing, nullptr));
    const std::array<py::handle, kFieldNames.size()> values = {
        next_model, supermodel, tradeoff, quality, cost, upper_bound, optimal, nodes};
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (PyObject_GenericSetAttr(made.get(), field_names[i], values[i].ptr()) != 0) {
            throw PythonError();
        }
    }
    return made;
}

// The backend that is named decides, or that of the environment.
void expect_this_backend(PyObject* name, PyObject* os) {
    if (name != nullptr) return expect(text_of(name, {}) == "cpp");
    const Owned environment = owned(PyObject_GetAttr(os, environ_name));
    const Owned named =
        owned(PyObject_CallMethodOneArg(environment.get(), get_name, backend_variable));
    expect(named.get() == Py_None);
}

Owned select_as_usual(const Given& given, PyObject* self) {
    try {
        expect_this_backend(given[kBackend], helper(self, kOs));
        Asked asked;
        read(given, self, asked);
        return select(asked.problem, helper(self, kSelectionType));
    } catch (const Unusual&) {
    } catch (const std::invalid_argument&) {  // Python words it
    } catch (const std::domain_error&) {
    }
    return {};
}

PyObject* batch_select(PyObject* self, PyObject* const* given, std::size_t n_given_and_flag,
                       PyObject* keywords) {
    try {
        const auto n_given = static_cast<std::size_t>(PyVectorcall_NARGS(n_given_and_flag));
        const std::optional<Given> usual = given_as_usual(given, n_given, keywords);
        if (usual && is_of_one(*usual, helper(self, kArrayType))) {
            Owned selected = select_as_usual(*usual, self);
            if (selected) return selected.release();
        }
        return PyObject_Vectorcall(shortcuts::checked(self), given, n_given_and_flag, keywords);
    } catch (py::error_already_set& error) {
        error.restore();
        return nullptr;
    } catch (...) {
        return raise();
    }
}

PyObject* quick_select(PyObject*, PyObject* const* given, Py_ssize_t n_given) {
    if (n_given != 2 || !PyTuple_CheckExact(given[1]) ||
        PyTuple_GET_SIZE(given[1]) != kSelectionType + 1) {
        PyErr_SetString(PyExc_TypeError, "expected a function and a tuple of its helpers");
        return nullptr;
    }
    try {
        return shortcuts::make(&batch_select, given[0], share(given[1])).release();
    } catch (...) {
        return raise();
    }
}

}  // namespace

bool add_quick_select(PyObject* module) {
    static PyMethodDef functions[] = {
        {"sample_matrix", &sample_matrix, METH_O,
         "sample_matrix($module, samples, /)\n--\n\n"
         "Checked draws of shape (k, S), to be used again and again."},
        {"quick_select", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&quick_select)),
         METH_FASTCALL,
         "quick_select($module, checked, helpers, /)\n--\n\n"
         "A function in place of batch_select of Python, which it calls for what is out of the "
         "ordinary."},
        {},
    };
    if (samples_type == nullptr) {
        samples_type = make_type<Samples>("headrace._core.SampleMatrix", 0, {});
    }
    return samples_type != nullptr && intern(backend_variable, "HEADRACE_BACKEND") &&
           intern(environ_name, "environ") && intern(get_name, "get") &&
           intern(argument_names, kArgumentNames) && intern(elsewhere_names, kElsewhereNames) &&
           intern(field_names, kFieldNames) && PyModule_AddType(module, samples_type) == 0 &&
           PyModule_AddFunctions(module, functions) == 0;
}
