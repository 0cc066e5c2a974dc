// Routers from files and their sessions: what they refuse, and that they decide as batches do.
#include <cmath>
#include <fstream>
#include <system_error>
#include <thread>

#include "check.hpp"
#include "headrace/router.hpp"
#include "problems.hpp"
#include "run_set_cache.hpp"
#include "session_files.hpp"

namespace {

using headrace::kStop;
using headrace::Router;
using headrace::RouterFileError;
using headrace::Session;
using headrace::SessionError;

std::shared_ptr<const Router> router_of(const RouterMaker& maker) {
    return Router::from_bytes(maker.content());
}

// ---- files ----

void what_is_saved_is_there() {
    RouterMaker maker;
    const auto router = router_of(maker);
    CHECK_EQUAL(router->n_models(), 5U);
    CHECK_EQUAL(router->models()[4], "model 4");
    CHECK_EQUAL(router->n_features(), 0U);
    CHECK_EQUAL(router->n_signals(), 0U);
    CHECK_EQUAL(router->n_rows(), 2U);
    CHECK_EQUAL(router->gamma(), 0.25);
    CHECK(!router->has_groups());
    CHECK(!router->knows(std::string_view("a")));
    CHECK(router->expected_seconds({}).empty());
    maker.noisy = true;
    CHECK_EQUAL(router_of(maker)->n_features(), 10U);
    CHECK_EQUAL(router_of(maker)->n_signals(), 1U);
}

void files_are_read() {
    const Content content = RouterMaker().content();
    const auto path = std::filesystem::temp_directory_path() /
                      ("headrace-test-" + std::to_string(std::random_device{}()));
    CHECK_THROWS(Router::load(path), std::system_error, path.string());
    CHECK_THROWS(Router::load(path.parent_path()), std::system_error, path.parent_path().string());
    const auto write = [&](std::size_t size) {
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(size));
    };
    write(content.size());
    CHECK_EQUAL(Router::load(path)->n_models(), 5U);
    write(content.size() - 1);
    CHECK_THROWS(Router::load(path), RouterFileError, "' is not a saved router that can be read: ");
    write(0);
    CHECK_THROWS(Router::load(path), RouterFileError, "is cut: it has 0 bytes");
    std::filesystem::remove(path);
}

bool is_refused(const Content& content) {
    try {
        Router::from_bytes(content);
    } catch (const RouterFileError&) {
        return true;
    }
    return false;
}

void cut_and_damaged_files_are_refused() {
    for (const bool noisy : {false, true}) {
        RouterMaker maker;
        maker.noisy = noisy;
        maker.n_samples = 4;
        const Content content = maker.content();
        for (std::size_t length = 0; length < content.size(); ++length) {
            CHECK(is_refused(
                Content(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(length))));
        }
        std::mt19937 random(2);
        for (std::size_t at = 0; at < content.size(); ++at) {
            Content damaged = content;
            damaged[at] = static_cast<unsigned char>(damaged[at] ^ 1U << random() % 8);
            CHECK(is_refused(damaged));
        }
    }
}

void refused(const std::string& values, const char* why, RouterMaker maker = {}) {
    CHECK_THROWS(Router::from_bytes(maker.file(values).content()), RouterFileError, why);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

void what_does_not_fit_is_refused() {
    const std::string values = RouterMaker().values();
    refused("[]", "its values must be an object");
    refused("{", "its values are not JSON");
    refused(RouterMaker().values(",\"more\":1"), "nothing knows 'more'");
    const auto change = [&](const char* from, const char* to, const char* why) {
        refused(replaced(values, from, to), why);
    };
    change("\"cascade_routing\"", "\"guess\"", "unknown strategy guess");
    change("\"exact\"", "\"guess\"", "unknown search guess");
    change("\"router.max_depth\":null", "\"router.max_depth\":0", "max_depth");
    change("\"router.max_depth\":null", "\"router.max_depth\":1.5", "max_depth");
    change("\"router.seed\":0,", "", "there is no value 'router.seed'");
    change("\"router.seed\":0", "\"router.seed\":{}", "must be a parameter");
    change("\"router.n_samples\":32", "\"router.n_samples\":33", "power of two");
    change("\"router.n_samples\":32", "\"router.n_samples\":16",
           "has size 32 where n_samples is 16");
    change("\"cheapest\"", "\"none\"", "ties must be known");
    change("0.25", "1.5", "gamma must be between 0 and 1");
    change("0.25", "\"x\"", "must be a number");
    change("\"fit.lookahead\":1", "\"fit.lookahead\":-1", "lookahead");
    change("\"model 1\"", "\"model 0\"", "different texts");
    change("\"model 1\"", "1", "list of texts");
    change("\"model 1\",", "", "the models must be those of the estimator");
    change("\"PrecomputedEstimator\"", "\"os.system\"", "its estimator is unknown: 'os.system'");
    change("\"estimator.sigmas\":null", "\"estimator.sigmas\":\"array\"", "there is no array");
    change("\"estimator.post\":\"array\"", "\"estimator.post\":null",
           "nothing knows 'estimator.post'");
    change("\"estimator\":", "\"own estimator\":\"Mine\",\"estimator\":", "is a Mine of your own");
    change("price\":0.050000", "price\":-1", "prices must be finite and not negative");
    change("price\":0.050000", "price\":1e200", "prices must be finite");

    FileMaker file = RouterMaker().file();
    file.texts["format"] = "2";
    CHECK_THROWS(Router::from_bytes(file.content()), RouterFileError,
                 "newer headrace, in format 2");
    file.texts["format"] = "x";
    CHECK_THROWS(Router::from_bytes(file.content()), RouterFileError, "it has no version");
    file.texts["kind"] = "weights";
    CHECK_THROWS(Router::from_bytes(file.content()), RouterFileError, "not those of a router");
    file = RouterMaker().file();
    file.add("more", "[1]", std::vector<double>{1.0});
    CHECK_THROWS(Router::from_bytes(file.content()), RouterFileError, "nothing knows 'more'");

    RouterMaker maker;
    maker.noisy = true;
    refused(replaced(maker.values(), "n_models_\":5", "n_models_\":6"), "has size", maker);
    refused(replaced(maker.values(), "n_models_\":5", "n_models_\":0"), "1 to 4096 models", maker);
    refused(replaced(maker.values(), "n_models_\":5", "n_models_\":-5"), "not be negative", maker);
    refused(replaced(maker.values(), "fuse\":true", "fuse\":false"), "has size 3", maker);
    refused(replaced(maker.values(), "n_features\":10", "n_features\":11"), "features and signals",
            maker);
}

// Numbers that no fit has, at every place of the arrays: a router or a refusal, and no more.
void any_numbers_are_harmless() {
    for (const bool noisy : {false, true}) {
        RouterMaker maker;
        maker.noisy = noisy;
        maker.n_samples = 2;
        maker.k = 3;
        const FileMaker file = maker.file();
        std::size_t n_made = 0;
        for (std::size_t at = 0; at < file.n_numbers(); ++at) {
            for (const double extreme : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e308, -1.0, 0.0}) {
                FileMaker changed = file;
                changed.change(at, extreme);
                std::shared_ptr<const Router> router;
                try {
                    router = Router::from_bytes(changed.content());
                } catch (const RouterFileError&) {
                    continue;
                }
                ++n_made;
                Session session(router);
                const std::vector<double> features(router->n_features(), 0.5);
                const std::vector<double> signals(router->n_signals(), 0.5);
                try {
                    session.start({.features = features});
                    for (std::int64_t i; (i = session.next_model()) != kStop;) {
                        session.observe(static_cast<std::size_t>(i), signals);
                    }
                    CHECK(session.answer() < 3U);
                } catch (const std::invalid_argument&) {
                }
            }
        }
        CHECK(n_made > 0);
    }
}

// ---- sessions ----

void misuse_is_refused() {
    RouterMaker maker;
    maker.noisy = true;
    Session session(router_of(maker));
    const std::vector<double> features = maker.numbers(10, 0.0, 1.0);
    const std::vector<double> signal{0.5};
    CHECK_THROWS(session.next_model(), SessionError, "call start first");
    CHECK_THROWS(session.observe(0, signal), SessionError, "call start first");
    CHECK_THROWS(session.exclude(0), SessionError, "call start first");
    CHECK_THROWS(session.answer(), SessionError, "no model has run");
    CHECK_THROWS(session.start({}), std::invalid_argument, "features must be 10 numbers, got 0");
    const std::vector<double> wrong(10, NAN);
    CHECK_THROWS(session.start({.features = wrong}), std::invalid_argument,
                 "features must be finite, got nan at index 0");
    session.start({.features = features});
    CHECK_THROWS(session.choice(), SessionError, "nothing is decided yet");
    CHECK_THROWS(session.supermodel(), SessionError, "nothing is decided yet");
    CHECK_THROWS(session.observe(0, signal), SessionError, "'model 0') was not asked for");
    const auto first = static_cast<std::size_t>(session.next_model());
    CHECK_EQUAL(session.next_model(), static_cast<std::int64_t>(first));
    CHECK_THROWS(session.observe(5, signal), SessionError, "there is no model 5 among 5");
    CHECK_THROWS(session.observe((first + 1) % 5, signal), SessionError, "was not asked for");
    CHECK_THROWS(session.observe(first, {}), std::invalid_argument, "1 numbers, got 0");
    CHECK_THROWS(session.observe(first, std::vector<double>{1e200}), std::invalid_argument,
                 "signals must not exceed 1e+100 in magnitude, got 1e+200 at index 0");
    session.observe(first, signal);
    CHECK(session.has_run(first));
    CHECK(!session.has_run(5));
    CHECK_EQUAL(session.answer(), first);
    CHECK_THROWS(session.observe(first, signal), SessionError, "has been observed already");
    CHECK_THROWS(session.exclude(first), SessionError, "has run, so it cannot be excluded");
    const std::size_t other = (first + 1) % 5;
    session.exclude(other);
    CHECK(session.is_excluded(other));
    CHECK_THROWS(session.exclude(other), SessionError, "is excluded already");
    for (std::int64_t i; (i = session.next_model()) != kStop;) {
        CHECK(i != static_cast<std::int64_t>(other));
        session.observe(static_cast<std::size_t>(i), signal);
    }
    CHECK_THROWS(session.observe(other, signal), SessionError, "the session is over");
    double numbers[5];
    CHECK_THROWS(session.estimates(numbers, numbers, {}), std::invalid_argument, "room for 5");

    Session by_row(router_of({}));
    CHECK_THROWS(by_row.start({.row = 2}), std::invalid_argument, "estimates of 2 rows");
    CHECK_THROWS(by_row.start({.row = -1}), std::invalid_argument, "comes from row -1");
    const std::vector<double> negative(5, -1.0);
    CHECK_THROWS(by_row.start({.surcharge = negative}), std::invalid_argument, "not be negative");
}

void every_model_may_be_excluded() {
    Session session(router_of({}));
    session.start({});
    for (std::size_t n = 0; n < 5; ++n) {
        const std::int64_t next = session.next_model();
        CHECK(next != kStop);
        session.exclude(static_cast<std::size_t>(next));
    }
    CHECK_EQUAL(session.next_model(), kStop);
    CHECK_THROWS(session.answer(), SessionError, "no model has run");
    session.start({});
    CHECK(session.next_model() != kStop);
}

// Follows queries, each step of which a batch of one decides too.
void decides_as_a_batch(const char* strategy, const char* search, double lookahead) {
    RouterMaker maker;
    maker.noisy = true;
    maker.k = 9;
    maker.strategy = strategy;
    maker.search = search;
    maker.lookahead = lookahead;
    const auto router = router_of(maker);
    const std::size_t k = maker.k;
    const std::vector<double> given = maker.numbers(k, 0.1, 0.4);
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    std::vector<double> samples(k * maker.n_samples);
    for (double& sample : samples) sample = normal(random);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    Session session(router);
    for (int query = 0; query < 60; ++query) {
        std::vector<double> features(2 * k), quality, cost;
        for (double& feature : features) feature = uniform(random);
        const bool dearer = query % 2 == 1;
        session.start({.features = features, .dearer = dearer});
        // By position: the last column first.
        std::vector<double> sigma(given.rbegin(), given.rend());
        for (double& spread : sigma) spread *= lookahead;
        for (std::size_t p = 0; p < k; ++p) quality.push_back(features[k - 1 - p]);
        for (std::size_t p = 0; p < k; ++p) cost.push_back(features[2 * k - 1 - p]);
        const auto ran = std::make_unique<bool[]>(k);
        for (std::size_t step = 0;; ++step) {
            if (session.path().size() == k) break;
            headrace::Problem problem;
            problem.n_queries = 1;
            problem.n_models = k;
            const double lambda = (dearer ? 0.05 : 0.1) * (step > 0 ? 0.5 : 1.0);
            problem.qualities = {quality.data(), k};
            problem.costs = {cost.data(), k};
            problem.lambda = {&lambda, 1};
            problem.ran = {ran.get(), k};
            problem.strategy = strategy;
            problem.search = search;
            problem.ties = dearer ? headrace::Ties::kDearest : headrace::Ties::kCheapest;
            if (problem.strategy == "routing") problem.max_models = 1;
            if (problem.strategy != "routing" && lookahead > 0.0) {
                problem.sigmas = {sigma.data(), k};
                if (problem.strategy != "index") {
                    problem.samples = samples.data();
                    problem.n_samples = maker.n_samples;
                }
            }
            Answer answer{1, k};
            headrace::batch_select(problem, answer.view(), {});
            const std::int64_t next = session.next_model();
            const std::int64_t chosen = answer.next_model[0];
            CHECK_EQUAL(next, chosen < 0 ? chosen : static_cast<std::int64_t>(k) - 1 - chosen);
            CHECK_EQUAL(session.choice().tradeoff, answer.tradeoff[0]);
            CHECK_EQUAL(session.choice().upper_bound, answer.upper_bound[0]);
            for (std::size_t p = 0; p < k; ++p) {
                CHECK_EQUAL(session.supermodel()[k - 1 - p] != 0, answer.supermodel[p]);
            }
            if (next == kStop || next != static_cast<std::int64_t>(k) - 1 - chosen) break;
            const double signal = uniform(random);
            const auto p = static_cast<std::size_t>(chosen);
            session.observe(static_cast<std::size_t>(next), std::vector<double>{signal});
            quality[p] = 0.5 * signal + 0.5 * features[k - 1 - p];
            sigma[p] = 0.0;
            ran[p] = true;
        }
        const auto best = std::max_element(
            session.path().begin(), session.path().end(), [&](std::size_t a, std::size_t b) {
                return std::pair(quality[k - 1 - a], a) < std::pair(quality[k - 1 - b], b);
            });
        CHECK_EQUAL(session.answer(), *best);
    }
}

void a_threshold_cascade_goes_on_below_it() {
    RouterMaker maker;
    maker.noisy = true;
    maker.strategy = "threshold_cascade";
    maker.price = 0.6;  // of the dearer policy; at later steps half of it
    Session session(router_of(maker));
    const std::vector<double> features(10, 0.0);
    session.start({.features = features, .dearer = true});
    const std::vector<double> low{0.1}, high{0.7};
    CHECK_EQUAL(session.next_model(), 4);
    session.observe(4, low);
    session.exclude(3);
    CHECK_EQUAL(session.next_model(), 2);
    CHECK_EQUAL(session.answer(), 4U);
    session.observe(2, high);
    CHECK_EQUAL(session.next_model(), kStop);
    CHECK_EQUAL(session.answer(), 2U);
    session.start({.features = features, .dearer = true});
    CHECK_EQUAL(session.next_model(), 4);
}

void a_surcharge_makes_a_model_dearer() {
    Session session(router_of({}));
    session.start({});
    const auto first = static_cast<std::size_t>(session.next_model());
    std::vector<double> surcharge(5, 0.0);
    surcharge[first] = 1e6;
    session.start({.surcharge = surcharge});
    CHECK(session.next_model() != static_cast<std::int64_t>(first));
    double qualities[5], costs[5], deviations[5];
    session.estimates(qualities, costs, deviations);
    CHECK(costs[first] >= 1e6);
}

void long_searches_are_interrupted() {
    RouterMaker maker;
    maker.k = 16;
    maker.n_samples = 1024;
    maker.search = "exhaustive";
    Session session(router_of(maker));
    session.start({});
    CHECK_THROWS(session.next_model([] { return true; }), headrace::Interrupted, "interrupted");
    CHECK_THROWS(session.choice(), SessionError, "nothing is decided yet");
    CHECK(session.next_model() != kStop);
}

// ---- many at once ----

std::vector<std::size_t> path_of(Session& session, std::int64_t row, bool dearer) {
    session.start({.dearer = dearer, .row = row});
    for (std::int64_t i; (i = session.next_model()) != kStop;) {
        session.observe(static_cast<std::size_t>(i), {});
    }
    return {session.path().begin(), session.path().end()};
}

void threads_share_a_router() {
    RouterMaker maker;
    maker.k = 30;
    maker.price = 0.002;
    const auto alone = router_of(maker);
    Session session(alone);
    std::vector<std::vector<std::size_t>> expected;
    for (const std::int64_t row : {0, 1}) expected.push_back(path_of(session, row, row == 1));
    const auto router = router_of(maker);
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                Session own(router);
                const auto row = static_cast<std::size_t>(i % 2);
                if (path_of(own, i % 2, i % 2 == 1) != expected[row]) ++wrong;
            }
        });
    }
    threads.clear();
    CHECK_EQUAL(wrong.load(), 0);
}

void the_cache_is_bounded() {
    headrace::RunSetCache cache(20'000);
    std::size_t n_made = 0;
    const auto make = [&] {
        ++n_made;
        headrace::RunSetFacts facts;
        facts.rows.data.assign(100, static_cast<double>(n_made));
        return facts;
    };
    std::unique_ptr<headrace::RunSetFacts> own;
    const auto get = [&](std::uint64_t key) {
        const std::uint64_t words[] = {key, 0};
        return cache.get(words, make, own).rows.data.front();
    };
    std::vector<double> first;
    for (std::uint64_t key = 0; key < 100; ++key) first.push_back(get(key));
    CHECK_EQUAL(n_made, 100U);
    CHECK(own != nullptr);
    for (std::uint64_t key = 0; key < 10; ++key) CHECK_EQUAL(get(key), first[key]);
    CHECK_EQUAL(n_made, 100U);
    for (std::uint64_t key = 90; key < 100; ++key) CHECK(get(key) != first[key]);
    CHECK_EQUAL(n_made, 110U);
}

}  // namespace

int main() {
    what_is_saved_is_there();
    files_are_read();
    cut_and_damaged_files_are_refused();
    what_does_not_fit_is_refused();
    any_numbers_are_harmless();
    misuse_is_refused();
    every_model_may_be_excluded();
    for (const double lookahead : {1.0, 0.0}) {
        decides_as_a_batch("cascade_routing", "exact", lookahead);
        decides_as_a_batch("cascade_routing", "greedy", lookahead);
        decides_as_a_batch("cascade_routing", "exhaustive", lookahead);
        decides_as_a_batch("cascade", "exact", lookahead);
        decides_as_a_batch("index", "exact", lookahead);
        decides_as_a_batch("routing", "exact", lookahead);
    }
    a_threshold_cascade_goes_on_below_it();
    a_surcharge_makes_a_model_dearer();
    long_searches_are_interrupted();
    threads_share_a_router();
    the_cache_is_bounded();
    return check::report();
}
