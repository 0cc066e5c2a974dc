// The Python module headrace._core. Arrays arrive checked (headrace/_check.py); here only sizes are
// checked again, because memory safety depends on them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "headrace/headrace.hpp"

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

void batch_select(const Array<double>& qualities, const Array<double>& costs,
                  const Array<double>& lambda, const MaybeArray<double>& sigmas,
                  const MaybeArray<double>& factor, const MaybeArray<bool>& ran,
                  const MaybeArray<double>& samples, const std::string& strategy,
                  const std::string& search, std::size_t max_models, bool fixed_order,
                  const std::string& ties, std::size_t node_limit, double time_limit,
                  std::size_t n_threads, Array<std::int64_t> next_model, Array<bool> supermodel,
                  Array<double> tradeoff, Array<double> quality, Array<double> cost,
                  Array<double> upper_bound, Array<bool> optimal, Array<std::int64_t> nodes) {
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
    problem.strategy = strategy;
    problem.search = search;
    problem.max_models = max_models;
    problem.fixed_order = fixed_order;
    problem.ties = ties == "dearest" ? headrace::Ties::kDearest : headrace::Ties::kCheapest;
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

    headrace::Execution execution;
    execution.n_threads = n_threads;
    execution.poll = [] {  // lets signal handlers run, Ctrl-C among them
        const py::gil_scoped_acquire lock;
        return PyErr_CheckSignals() != 0;
    };
    try {
        const py::gil_scoped_release unlock;
        headrace::batch_select(problem, selection, execution);
    } catch (const headrace::Interrupted&) {
        throw py::error_already_set();  // what the handler raised
    }
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
    module.def("batch_select", &batch_select, py::arg("qualities").noconvert(),
               py::arg("costs").noconvert(), py::arg("lambda_").noconvert(),
               py::arg("sigmas").noconvert(), py::arg("factor").noconvert(),
               py::arg("ran").noconvert(), py::arg("samples").noconvert(), py::arg("strategy"),
               py::arg("search"), py::arg("max_models"), py::arg("fixed_order"), py::arg("ties"),
               py::arg("node_limit"), py::arg("time_limit"), py::arg("n_threads"),
               py::arg("next_model").noconvert(), py::arg("supermodel").noconvert(),
               py::arg("tradeoff").noconvert(), py::arg("quality").noconvert(),
               py::arg("cost").noconvert(), py::arg("upper_bound").noconvert(),
               py::arg("optimal").noconvert(), py::arg("nodes").noconvert(),
               "Decide a checked batch; writes to the outputs.");
    module.def("instruction_sets", &instruction_sets,
               "From each name, fastest first, to None or the reason why it is not available.");
    module.def("instruction_set", &headrace::instruction_set,
               "The name of the one in use; chosen now if nothing was decided yet.");
}
