// Rollouts, step by step: the pairs of states and prices of one depth are decided together.
#include "headrace/rollout.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>

#include "control.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "registry.hpp"
#include "require.hpp"
#include "slab.hpp"
#include "values.hpp"

namespace headrace {

namespace {

constexpr std::string_view kThresholdCascade = "threshold_cascade";

constexpr std::size_t kPairsPerBatch = std::size_t{1} << 17;  // of strategies that stream

constexpr std::int64_t kStop = -1;

using Number = std::uint32_t;  // of a query, a price, a set of models or a pair

// What goes on at one depth: pairs of a state and a price.
struct Pairs {
    std::vector<Number> query;
    std::vector<Number> price;
    std::vector<Number> run_set;

    std::size_t size() const { return query.size(); }
};

// What was decided for the pairs of one depth.
struct Decided {
    std::vector<std::int32_t> chosen;  // next model, or kStop
    std::vector<std::uint8_t> plans;   // n_bytes each
};

// Numbers items 0..n by key, stable.
std::vector<Number> sorted_by(const std::vector<Number>& items, std::size_t n_keys,
                              const std::vector<Number>& key) {
    std::vector<std::size_t> place(n_keys + 1, 0);
    for (const Number item : items) ++place[key[item] + 1];
    std::partial_sum(place.begin(), place.end(), place.begin());
    std::vector<Number> sorted(items.size());
    for (const Number item : items) sorted[place[key[item]]++] = item;
    return sorted;
}

template <class T>
std::vector<T> taken(const std::vector<T>& values, const std::vector<Number>& places) {
    std::vector<T> result(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) result[i] = values[places[i]];
    return result;
}

std::vector<Number> counted(std::size_t n) {
    std::vector<Number> numbers(n);
    std::iota(numbers.begin(), numbers.end(), Number{0});
    return numbers;
}

class Roller {
public:
    Roller(const RolloutProblem& problem, Forecaster& forecaster, const Execution& execution)
        : problem_(problem),
          forecaster_(forecaster),
          n_threads_(execution.n_threads),
          by_threshold_(problem.strategy == kThresholdCascade),
          n_bytes_((problem.n_models + 7) / 8),
          control_(execution.poll) {
        if (!by_threshold_) method_ = find_method(problem.strategy, problem.search);
        check();
        instruction_set();  // chosen here, or the choice fails
    }

    Rollouts run() {
        const std::size_t n_pairs = problem_.n_queries * problem_.n_prices;
        result_.answers.assign(n_pairs, kStop);
        result_.decisions.assign(n_pairs, 0);
        result_.estimates.assign(n_pairs, 0);
        start();
        while (pairs_.size() != 0) {
            decide_level();
            answer();
            advance();
        }
        return finish();
    }

private:
    void check() const {
        const RolloutProblem& p = problem_;
        check_sizes(p.n_models, p.n_samples);
        require(p.samples != nullptr || p.n_samples == 1, "n_samples must be 1 without samples");
        require(p.max_models >= 1, "max_models must be at least 1");
        require(p.n_steps >= 1, "n_steps must be at least 1");
        const std::size_t n_pairs = product(p.n_queries, p.n_prices);
        require(n_pairs < std::numeric_limits<Number>::max(), "too many queries and prices");
        product(p.n_queries, p.n_models);
        product(n_pairs, p.n_models);
        const std::size_t n_numbers = product(p.n_prices, p.n_steps);
        require(p.prices != nullptr || n_numbers == 0, "prices are required");
        for (std::size_t i = 0; i < n_numbers; ++i) {
            const double price = p.prices[i];
            const bool good =
                std::abs(price) <= kLargestMagnitude && (by_threshold_ || price >= 0.0);
            require(good, "prices must be finite and not negative");
        }
    }

    double price(std::size_t which, std::size_t depth) const {
        return problem_.prices[which * problem_.n_steps + std::min(depth, problem_.n_steps - 1)];
    }

    void start() {
        const std::size_t n = problem_.n_queries;
        const std::size_t n_prices = problem_.n_prices;
        run_sets_.assign(1, {});
        pairs_.run_set.assign(n * n_prices, 0);
        rank_prices(0);
        for (std::size_t q = 0; q < n; ++q) {
            for (const Number p : by_price_) {
                pairs_.query.push_back(static_cast<Number>(q));
                pairs_.price.push_back(p);
            }
        }
    }

    // Ranks the prices of a step.
    void rank_prices(std::size_t depth) {
        by_price_ = counted(problem_.n_prices);
        std::stable_sort(by_price_.begin(), by_price_.end(),
                         [&](Number a, Number b) { return price(a, depth) < price(b, depth); });
        rank_.resize(problem_.n_prices);
        for (std::size_t i = 0; i < by_price_.size(); ++i) {
            rank_[by_price_[i]] = static_cast<Number>(i);
        }
    }

    // Finds the states of the pairs, asks for them slab by slab, and decides.
    void decide_level() {
        const std::size_t n_pairs = pairs_.size();
        first_pair_.clear();
        for (std::size_t i = 0; i < n_pairs; ++i) {
            if (i == 0 || pairs_.query[i] != pairs_.query[i - 1] ||
                pairs_.run_set[i] != pairs_.run_set[i - 1]) {
                first_pair_.push_back(i);
            }
        }
        first_pair_.push_back(n_pairs);
        decided_.chosen.assign(n_pairs, static_cast<std::int32_t>(kStop));
        decided_.plans.assign(n_pairs * n_bytes_, 0);
        best_.assign(first_pair_.size() - 1, kStop);

        const std::size_t depth = run_sets_[pairs_.run_set.front()].size();
        decides_ = depth < std::min(problem_.max_models, problem_.n_models);
        chooses_answer_ = depth > 1 && !by_threshold_;
        asks_ = decides_ || chooses_answer_;
        depth_ = depth;

        Slab slab(problem_);
        const std::size_t n_states = first_pair_.size() - 1;
        std::size_t slab_start = 0;
        for (std::size_t begin = 0; begin < n_states;) {
            const Number set = pairs_.run_set[first_pair_[begin]];
            queries_.clear();
            std::size_t end = begin;
            for (; end < n_states && pairs_.run_set[first_pair_[end]] == set; ++end) {
                queries_.push_back(pairs_.query[first_pair_[end]]);
            }
            control_.check();
            if (asks_) slab.add(run_sets_[set], end - begin, asked(run_sets_[set]));
            begin = end;
            if (asks_ && (slab.full() || end == n_states)) {
                slab.finish(control_);
                settle(slab, slab_start);
                slab.clear();
                slab_start = end;
            }
        }
    }

    Forecast asked(const RunSet& ran) { return forecaster_.forecast(ran, queries_); }

    void settle(const Slab& slab, std::size_t first_state) {
        Problem estimated = slab.problem;
        estimated.ran = {};  // ours: all models may have run where only the answer is open
        check_all_values(estimated, control_);
        if (chooses_answer_) {
            for (std::size_t state = 0; state < slab.n_states(); ++state) {
                best_[first_state + state] =
                    best_of(slab.qualities(state), slab.group_of(state).ran);
            }
        }
        if (!decides_) return;
        if (by_threshold_) {
            compare(slab, first_state);
        } else if (method_.make_streamer != nullptr) {
            stream(slab, first_state);
        } else {
            search(slab, first_state);
        }
    }

    static std::int64_t best_of(const double* qualities, const RunSet& ran) {
        std::size_t best = ran.front();
        for (const std::size_t i : ran) {
            if (qualities[i] > qualities[best]) best = i;
        }
        return static_cast<std::int64_t>(best);
    }

    // The classical cascade.
    void compare(const Slab& slab, std::size_t first_state) {
        for (std::size_t state = 0; state < slab.n_states(); ++state) {
            const double last = depth_ == 0 ? -std::numeric_limits<double>::infinity()
                                            : slab.qualities(state)[depth_ - 1];
            for (std::size_t pair = first_pair_[first_state + state];
                 pair < first_pair_[first_state + state + 1]; ++pair) {
                const bool goes_on = depth_ == 0 || last < price(pairs_.price[pair], depth_);
                if (goes_on) decided_.chosen[pair] = static_cast<std::int32_t>(depth_);
                for (std::size_t i = 0; i < depth_ + (goes_on ? 1 : 0); ++i) mark(pair, i);
            }
        }
    }

    // Strategies that stream decide every pair.
    void stream(const Slab& slab, std::size_t first_state) {
        const std::size_t k = problem_.n_models;
        std::vector<std::size_t> state_of, group_of;
        std::vector<double> prices;
        const std::size_t first = first_pair_[first_state];
        const std::size_t last = first_pair_[first_state + slab.n_states()];
        for (std::size_t state = 0; state < slab.n_states(); ++state) {
            for (std::size_t pair = first_pair_[first_state + state];
                 pair < first_pair_[first_state + state + 1]; ++pair) {
                state_of.push_back(state);
                group_of.push_back(slab.groups_of_states()[state]);
                prices.push_back(price(pairs_.price[pair], depth_));
            }
        }
        const std::size_t room = std::min(kPairsPerBatch, last - first);
        std::vector<std::int64_t> next(room), nodes(room);
        std::vector<double> numbers(4 * room);
        const auto supermodel = std::make_unique<bool[]>(product(room, k));
        const auto optimal = std::make_unique<bool[]>(room);
        const Selection selection{next.data(),
                                  supermodel.get(),
                                  numbers.data(),
                                  numbers.data() + room,
                                  numbers.data() + 2 * room,
                                  numbers.data() + 3 * room,
                                  optimal.get(),
                                  nodes.data()};
        for (std::size_t begin = 0; begin < prices.size(); begin += room) {
            const std::size_t n = std::min(room, prices.size() - begin);
            Problem batch = slab.problem;
            batch.n_queries = n;
            batch.qualities.at = batch.costs.at = state_of.data() + begin;
            batch.sigmas.at = batch.reveals.group.at = state_of.data() + begin;
            batch.ran.at = group_of.data() + begin;
            batch.lambda = {prices.data() + begin, 1};
            const auto make_worker = [&]() -> Worker {
                const std::shared_ptr<Streamer> streamer = method_.make_streamer(batch, selection);
                return [&, streamer](std::size_t from, std::size_t to) {
                    streamer->decide_rows(from, to);
                    for (std::size_t i = from; i < to; ++i) {
                        const std::size_t pair = first + begin + i;
                        decided_.chosen[pair] = static_cast<std::int32_t>(next[i]);
                        const bool* chosen = supermodel.get() + i * k;
                        for (std::size_t j = 0; j < k; ++j) {
                            if (chosen[j]) mark(pair, j);
                        }
                    }
                };
            };
            const std::size_t useful = useful_threads(n, k, kModelsPerThread);
            parallel_for(n, std::min(n_threads_, useful), control_, make_worker);
        }
    }

    // The others are decided state by state, at as many of its prices as it takes.
    void search(const Slab& slab, std::size_t first_state) {
        std::optional<Samples> shared;
        const bool correlated = slab.groups.front().samples != nullptr;
        if (!correlated) shared.emplace(slab.problem, control_);
        const auto make_worker = [&]() -> Worker {
            const auto worker = std::make_shared<Searcher>(*this, slab, first_state);
            if (!correlated) worker->query.emplace(slab.problem, *shared);
            return [worker](std::size_t begin, std::size_t end) {
                for (std::size_t state = begin; state < end; ++state) worker->decide(state);
            };
        };
        const std::size_t n_pairs =
            first_pair_[first_state + slab.n_states()] - first_pair_[first_state];
        const std::size_t useful = useful_threads(
            n_pairs, problem_.n_models * padded_length(slab.problem.n_samples), kDrawsPerThread);
        parallel_for(slab.n_states(), std::min(n_threads_, useful), control_, make_worker);
    }

    // Decides states on one thread.
    struct Searcher {
        Searcher(Roller& given, const Slab& states, std::size_t first)
            : roller(given),
              slab(states),
              first_state(first),
              decider(given.method_.make_decider()) {}

        void decide(std::size_t state) {
            const Slab::Group& group = slab.group_of(state);
            if (group.samples != nullptr && group_ != &group) {
                query.emplace(group.problem, *group.samples);
                group_ = &group;
            }
            roller.control_.check();
            query->load(state, decider->draws(), roller.control_);
            const std::size_t first = roller.first_pair_[first_state + state];
            const std::size_t last = roller.first_pair_[first_state + state + 1] - 1;
            again_ = false;
            decide_pair(first);
            if (last == first) return;
            decide_pair(last);
            decide_between(first, last);
        }

        // Both ends are decided.
        void decide_between(std::size_t low, std::size_t high) {
            if (high - low < 2) return;
            const std::size_t w = roller.n_bytes_;
            std::uint8_t* plans = roller.decided_.plans.data();
            if (std::memcmp(plans + low * w, plans + high * w, w) == 0) {
                for (std::size_t pair = low + 1; pair < high; ++pair) {
                    roller.decided_.chosen[pair] = roller.decided_.chosen[low];
                    std::copy_n(plans + low * w, w, plans + pair * w);
                }
                return;
            }
            const std::size_t middle = low + (high - low) / 2;
            decide_pair(middle);
            decide_between(low, middle);
            decide_between(middle, high);
        }

        void decide_pair(std::size_t pair) {
            query->set_lambda(roller.price(roller.pairs_.price[pair], roller.depth_));
            decision.nodes = 0;
            if (again_) {
                decider->decide_again(*query, decision, roller.control_);
            } else {
                decider->decide(*query, decision, roller.control_);
            }
            again_ = true;
            roller.decided_.chosen[pair] =
                static_cast<std::int32_t>(decision.next_model(*query, decider->in_order()));
            for (const std::size_t i : query->ran) roller.mark(pair, i);
            for (const std::size_t i : decision.added) roller.mark(pair, i);
        }

        Roller& roller;
        const Slab& slab;
        std::size_t first_state;
        std::unique_ptr<Decider> decider;
        std::optional<Query> query;
        Decision decision;

    private:
        const Slab::Group* group_ = nullptr;
        bool again_ = false;  // the state has been decided at another price
    };

    void mark(std::size_t pair, std::size_t model) {
        decided_.plans[pair * n_bytes_ + model / 8] |=
            static_cast<std::uint8_t>(0x80U >> model % 8);
    }

    // Writes the answers of the pairs that stop, and counts.
    void answer() {
        const std::size_t n_states = first_pair_.size() - 1;
        for (std::size_t state = 0; state < n_states; ++state) {
            const RunSet& ran = run_sets_[pairs_.run_set[first_pair_[state]]];
            for (std::size_t pair = first_pair_[state]; pair < first_pair_[state + 1]; ++pair) {
                const std::size_t cell = cell_of(pairs_.price[pair], pairs_.query[pair]);
                result_.decisions[cell] += decides_ ? 1 : 0;
                result_.estimates[cell] += asks_ ? 1 : 0;
                if (decided_.chosen[pair] != kStop || ran.empty()) continue;
                result_.answers[cell] =
                    chooses_answer_ ? best_[state] : static_cast<std::int64_t>(ran.back());
            }
        }
    }

    std::size_t cell_of(std::size_t which, std::size_t query) const {
        return which * problem_.n_queries + query;
    }

    // Keeps what was decided, and goes on to the states that follow.
    void advance() {
        Pairs next;
        std::vector<RunSet> sets;
        std::map<RunSet, Number> numbers;
        std::vector<std::int64_t> moves;
        Number current = 0;
        for (std::size_t i = 0; i < pairs_.size(); ++i) {
            const std::int32_t model = decided_.chosen[i];
            if (model == kStop) continue;
            if (moves.empty() || pairs_.run_set[i] != current) {
                current = pairs_.run_set[i];
                moves.assign(problem_.n_models, -1);
            }
            std::int64_t& move = moves[static_cast<std::size_t>(model)];
            if (move < 0) {
                RunSet ran = run_sets_[current];
                ran.insert(
                    std::upper_bound(ran.begin(), ran.end(), static_cast<std::size_t>(model)),
                    static_cast<std::size_t>(model));
                const auto [place, added] =
                    numbers.try_emplace(ran, static_cast<Number>(sets.size()));
                if (added) sets.push_back(ran);
                move = place->second;
            }
            next.query.push_back(pairs_.query[i]);
            next.price.push_back(pairs_.price[i]);
            next.run_set.push_back(static_cast<Number>(move));
        }
        levels_.push_back({std::move(pairs_), std::move(decided_)});
        run_sets_ = std::move(sets);
        sort(next);
        pairs_ = std::move(next);
        decided_ = {};
    }

    // By set of models, then query, then the price of the coming step.
    void sort(Pairs& pairs) {
        std::vector<Number> order = counted(pairs.size());
        if (depth_ + 1 < problem_.n_steps) rank_prices(depth_ + 1);
        order = sorted_by(order, problem_.n_prices, taken(rank_, pairs.price));
        order = sorted_by(order, problem_.n_queries, pairs.query);
        order = sorted_by(order, run_sets_.size(), pairs.run_set);
        pairs.query = taken(pairs.query, order);
        pairs.price = taken(pairs.price, order);
        pairs.run_set = taken(pairs.run_set, order);
    }

    Rollouts finish() {
        const std::size_t n_pairs = problem_.n_queries * problem_.n_prices;
        const std::size_t n_levels = std::max<std::size_t>(levels_.size(), 1);
        result_.n_steps = n_levels - 1;
        result_.n_bytes = n_bytes_;
        result_.paths.assign(product(n_pairs, result_.n_steps), kStop);
        result_.plans.assign(product(product(n_pairs, n_levels), n_bytes_), 0);
        for (std::size_t depth = 0; depth < levels_.size(); ++depth) {
            const auto& [pairs, decided] = levels_[depth];
            for (std::size_t i = 0; i < pairs.size(); ++i) {
                const std::size_t cell = cell_of(pairs.price[i], pairs.query[i]);
                if (depth < result_.n_steps) {
                    result_.paths[cell * result_.n_steps + depth] = decided.chosen[i];
                }
                std::copy_n(decided.plans.data() + i * n_bytes_, n_bytes_,
                            result_.plans.data() + (cell * n_levels + depth) * n_bytes_);
            }
        }
        return std::move(result_);
    }

    struct Level {
        Pairs pairs;
        Decided decided;
    };

    const RolloutProblem& problem_;
    Forecaster& forecaster_;
    const std::size_t n_threads_;
    const bool by_threshold_;
    const std::size_t n_bytes_;
    Control control_;
    Method method_;

    std::vector<RunSet> run_sets_;
    Pairs pairs_;                          // by set of models, then query, then price
    std::vector<std::size_t> first_pair_;  // of each state, and the end
    std::vector<std::size_t> queries_;     // of one group
    std::vector<Number> by_price_, rank_;  // of the coming step
    Decided decided_;
    std::vector<std::int64_t> best_;  // answer of each state, where there is a choice
    std::size_t depth_ = 0;
    bool decides_ = false;
    bool chooses_answer_ = false;
    bool asks_ = false;

    std::vector<Level> levels_;
    Rollouts result_;
};

}  // namespace

Rollouts roll_out(const RolloutProblem& problem, Forecaster& forecaster,
                  const Execution& execution) {
    return Roller(problem, forecaster, execution).run();
}

}  // namespace headrace
