// The Python module headrace._core; its types are in sessions.cpp. Arrays arrive checked
// (headrace/_check.py); here only sizes are checked again, because memory safety depends on them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "headrace/covariance.hpp"
#include "headrace/headrace.hpp"
#include "headrace/rollout.hpp"
#include "interrupts.hpp"
#include "quick_select.hpp"
#include "sessions.hpp"
#include "shortcut.hpp"

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

// Calls a function of the library without the interpreter's lock.
template <class Call>
auto unlocked(std::size_t n_threads, const Call& call) {
    headrace::Execution execution;
    execution.n_threads = n_threads;
    execution.poll = signals_raise;
    try {
        const py::gil_scoped_release unlock;
        return call(execution);
    } catch (const headrace::Interrupted&) {
        throw py::error_already_set();  // what the handler raised
    }
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

    unlocked(n_threads, [&](const headrace::Execution& execution) {
        headrace::batch_select(problem, selection, execution);
    });
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
    headrace::Rollouts found = unlocked(n_threads, [&](const headrace::Execution& execution) {
        return headrace::roll_out(problem, asked, execution);
    });
    const std::size_t n_prices = problem.n_prices;
    return py::make_tuple(
        array_of(std::move(found.paths), {n_prices, n_queries, found.n_steps}),
        array_of(std::move(found.answers), {n_prices, n_queries}),
        array_of(std::move(found.plans), {n_prices, n_queries, found.n_steps + 1, found.n_bytes}),
        array_of(std::move(found.decisions), {n_prices, n_queries}),
        array_of(std::move(found.estimates), {n_prices, n_queries}));
}

py::array_t<double> lower_cholesky(const Array<double>& covariances, double precision,
                                   std::size_t n_threads) {
    if (covariances.ndim() != 3 || covariances.shape(1) != covariances.shape(2)) {
        bad_shape("covariances");
    }
    const auto n = static_cast<std::size_t>(covariances.shape(0));
    const auto k = static_cast<std::size_t>(covariances.shape(1));
    const double* data = covariances.data();
    std::vector<double> factors = unlocked(n_threads, [&](const headrace::Execution& execution) {
        return headrace::lower_cholesky(data, n, k, execution, precision);
    });
    return array_of(std::move(factors), {n, k, k});
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
    module.def("lower_cholesky", &lower_cholesky, py::arg("covariances").noconvert(),
               py::arg("precision"), py::arg("n_threads"),
               "The factors of matrices of shape (n, k, k).");
    if (!shortcuts::add_type() || !add_sessions(module.ptr()) || !add_quick_select(module.ptr())) {
        throw py::error_already_set();
    }
    module.def("instruction_sets", &instruction_sets,
               "From each name, fastest first, to None or the reason why it is not available.");
    module.def("instruction_set", &headrace::instruction_set,
               "The name of the one in use; chosen now if nothing was decided yet.");
}
