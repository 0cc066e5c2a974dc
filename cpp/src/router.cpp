#include "headrace/router.hpp"

#include <fstream>
#include <system_error>
#include <utility>

#include "headrace/instruction_sets.hpp"
#include "router_state.hpp"
#include "tensor_file.hpp"

namespace headrace {

namespace {

std::unique_ptr<const RouterState> state_of(std::span<const unsigned char> content) {
    SavedState saved(read_tensor_file(content));
    std::unique_ptr<const Estimator> estimator = take_estimator(saved);
    Policy policy = take_policy(saved, *estimator);
    saved.refuse_rest();
    return std::make_unique<const RouterState>(std::move(estimator), std::move(policy));
}

// Whether something comes out that can be decided, before any model has run on a query of zeros.
void probe(const std::shared_ptr<const Router>& router) {
    const std::vector<double> features(router->n_features());
    const std::size_t k = router->n_models();
    std::vector<double> numbers(3 * k);
    Session session(router);
    session.start({.features = features});
    const std::span<double> all(numbers);
    session.estimates(all.first(k), all.subspan(k, k), all.last(k));
}

std::vector<unsigned char> content_of(const std::filesystem::path& path) {
    std::vector<unsigned char> content(std::filesystem::file_size(path));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(content.data()),
              static_cast<std::streamsize>(content.size()));
    if (!file) {
        throw std::filesystem::filesystem_error("cannot be read", path,
                                                std::make_error_code(std::errc::io_error));
    }
    return content;
}

}  // namespace

Router::Router(std::unique_ptr<const RouterState> state) : state_(std::move(state)) {}
Router::~Router() = default;

std::shared_ptr<const Router> Router::load(const std::filesystem::path& path) {
    return from_bytes(content_of(path), path.string());
}

std::shared_ptr<const Router> Router::from_bytes(std::span<const unsigned char> content,
                                                 std::string_view name) {
    instruction_set();  // chosen here, or the choice fails
    try {
        auto router = std::make_shared<const Router>(state_of(content));
        probe(router);
        return router;
    } catch (const std::invalid_argument& error) {  // whichever check it was
        throw RouterFileError("'" + std::string(name) +
                              "' is not a saved router that can be read: " + error.what());
    }
}

const std::vector<std::string>& Router::models() const {
    return state_->policy().models;
}

std::size_t Router::n_features() const {
    return state_->policy().n_features;
}

std::size_t Router::n_signals() const {
    return state_->policy().n_signals;
}

double Router::gamma() const {
    return state_->policy().gamma;
}

bool Router::has_groups() const {
    return state_->estimator().n_groups() > 1;
}

bool Router::knows(const Label& group) const {
    return state_->estimator().number_of(group) + 1 < state_->estimator().n_groups();
}

std::span<const double> Router::expected_seconds(const Label& group) const {
    const auto& seconds = state_->policy().seconds;
    if (!seconds) return {};
    return {seconds->means[seconds->groups.number_of(group)], n_models()};
}

std::size_t Router::n_rows() const {
    return state_->estimator().n_rows();
}

}  // namespace headrace
