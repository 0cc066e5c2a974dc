// Exact search: branch and bound with a certificate.
//
// On common samples the best supermodel is an uncapacitated facility location: models are
// facilities with opening costs f_i = lambda c_i, samples are clients. For any level w_s per
// sample,
//
//     mean(w) + sum over the (at most `slots`) largest of [mean((x_i - w)+) - f_i]+
//
// bounds the tradeoff of every set of free models (Erlenkotter, 1978); where models are included
// already, w_s must not be below their best draw. The search improves w by subgradient steps of
// Polyak's length, excludes models by their reduced cost and by Lemma 1 of the cascade-routing
// paper applied to every member, and branches on what is left.
//
// It runs twice. First for the best tradeoff; then for the winner of the tie, the set with the best
// key among those within the tolerance. Bounds are compared with an allowance for rounding, and
// every set that counts is evaluated as the contract says, so the choice is that of enumeration.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>

#include "kernels.hpp"
#include "registry.hpp"

namespace headrace {

namespace {

using Clock = std::chrono::steady_clock;
using Local = std::size_t;  // position among the candidates, from the cheapest up

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kRootSteps = 40;
constexpr int kChildSteps = 12;
constexpr int kPatience = 4;  // steps without progress before they are halved

// A node on the path from the root: `included` up to here, `free` still open.
struct Level {
    std::vector<double> best;   // best draws of what has run or is included
    std::vector<double> level;  // w of the bound, the best found
    std::vector<Local> free;
    double bound = kInfinity;  // of every set below this node that is still open
    double paid = 0.0;         // sum of f over the included, in any order
    bool opened = false;
};

class Exact final : public Decider {
public:
    void decide(const Query& query, Decision& decision, Control& control) override {
        query_ = &query;
        decision_ = &decision;
        control_ = &control;
        start();
        if (query.max_new == 0) {
            decision.added.clear();
            decision.quality = query.mean(levels_[0].best.data());
            decision.cost = 0.0;
            decision.upper_bound = decision.quality;
            decision.optimal = true;
            return;
        }
        construct();
        goal_ = Goal::kTradeoff;
        const bool proven = search();
        decision.upper_bound = proven ? best_tradeoff_ + allowance_ : open_bound();
        goal_ = Goal::kTie;
        decision.optimal = proven;
        while (decision.optimal) {
            restart_ = false;
            decision.optimal = search();
            decision.upper_bound = std::max(decision.upper_bound, best_tradeoff_ + allowance_);
            if (!restart_) break;
        }
        decision.nodes = nodes_;
    }

private:
    enum class Goal : std::uint8_t { kTradeoff, kTie };

    std::size_t m() const { return order_.size(); }
    const double* draws(Local j) const { return query_->draws(order_[j]); }
    double per_sample(double total) const {
        return total / static_cast<double>(query_->problem.n_samples);
    }
    double excess(Local j, const std::vector<double>& level) const {
        return per_sample(kernels::excess(draws(j), level.data(), query_->length));
    }
    bool nothing_yet() const { return included_.empty() && query_->ran.empty(); }

    void start() {
        const Query& query = *query_;
        order_ = query.candidates;
        std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
            return query.costs[a] < query.costs[b];
        });
        price_.resize(m());
        reduced_.resize(m());
        lowest_ = kInfinity;
        for (Local j = 0; j < m(); ++j) {
            price_[j] = query.lambda * query.costs[order_[j]];
            const double* x = draws(j);
            for (std::size_t s = 0; s < query.problem.n_samples; ++s) {
                lowest_ = std::min(lowest_, x[s]);
            }
        }
        if (m() > 0) lowest_ -= price_.back();
        allowance_ = query.rounding_allowance();
        included_.clear();
        nodes_ = 0;
        cut_ = false;
        best_tradeoff_ = -kInfinity;
        if (query.problem.time_limit > 0.0) {
            deadline_ = Clock::now() +
                        std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(std::min(query.problem.time_limit, 1e8)));
        }
        if (levels_.empty()) levels_.emplace_back();
        Level& root = levels_[0];
        root.best.resize(query.length);
        query.best_of_ran(root.best.data());
    }

    // ---- sets that count ----

    // Evaluates what has run with `models` (any order, which is kept) as the contract says.
    void evaluate(const std::vector<Local>& models, const double* best) {
        sorted_ = models;
        std::sort(sorted_.begin(), sorted_.end());
        double cost = 0.0;
        for (const Local j : sorted_) cost += query_->costs[order_[j]];
        const double quality = query_->mean(best);
        const double tradeoff = quality - query_->lambda * cost;
        if (goal_ == Goal::kTie) {
            if (tradeoff > best_tradeoff_) {  // by less than the allowance: the tie has moved
                best_tradeoff_ = tradeoff;
                restart_ = true;
                accept(quality, cost);
                return;
            }
            if (!(tradeoff >= best_tradeoff_ - kTieTolerance)) return;
            to_models(sorted_, models_);
            if (wins_tie({cost, models_}, {decision_->cost, decision_->added},
                         query_->problem.ties)) {
                accept(quality, cost);
            }
        } else if (tradeoff > best_tradeoff_) {
            best_tradeoff_ = tradeoff;
            accept(quality, cost);
        }
    }

    void accept(double quality, double cost) {
        to_models(sorted_, decision_->added);
        decision_->quality = quality;
        decision_->cost = cost;
    }

    void to_models(const std::vector<Local>& locals, std::vector<std::size_t>& models) const {
        models.clear();
        for (const Local j : locals) models.push_back(order_[j]);
        std::sort(models.begin(), models.end());
    }

    // ---- a first set ----

    // Adds the model of the highest gain while there is one, then drops what became redundant.
    void construct() {
        goal_ = Goal::kTradeoff;
        const Level& root = levels_[0];
        scratch_ = root.best;
        chosen_.clear();
        if (!query_->ran.empty()) evaluate(chosen_, scratch_.data());
        while (chosen_.size() < query_->max_new) {
            const bool first = chosen_.empty() && query_->ran.empty();
            double most = first ? -kInfinity : 0.0;
            Local pick = m();
            for (Local j = 0; j < m(); ++j) {
                const double gain =
                    (first ? query_->mean(draws(j)) : excess(j, scratch_)) - price_[j];
                if (gain > most) {
                    most = gain;
                    pick = j;
                }
            }
            if (pick == m()) break;
            chosen_.push_back(pick);
            if (first) {
                std::copy_n(draws(pick), query_->length, scratch_.begin());
            } else {
                kernels::raise(scratch_.data(), draws(pick), query_->length);
            }
            evaluate(chosen_, scratch_.data());
            control_->check();
            if (limit_reached()) return;
        }
        while (chosen_.size() > (query_->ran.empty() ? 1U : 0U)) {
            best_and_second(chosen_, root.best);
            const std::size_t worst = least_marginal(chosen_);
            if (loss_[worst] - price_[chosen_[worst]] >= 0.0) break;
            chosen_.erase(chosen_.begin() + static_cast<std::ptrdiff_t>(worst));
            best_and_second(chosen_, root.best);
            evaluate(chosen_, scratch_.data());
            control_->check();
            if (limit_reached()) return;
        }
    }

    // Fills scratch_ with the best draws of `models` and `base` (what has run), second_ with the
    // best draws without the model that is best there, owner_ with that model's place in the list.
    void best_and_second(const std::vector<Local>& models, const std::vector<double>& base) {
        const std::size_t length = query_->length;
        const std::size_t n_samples = query_->problem.n_samples;
        const bool floor = !query_->ran.empty();
        scratch_.assign(length, floor ? 0.0 : -kInfinity);
        second_.assign(length, -kInfinity);
        owner_.assign(length, models.size());
        if (floor) scratch_ = base;
        for (std::size_t place = 0; place < models.size(); ++place) {
            const double* x = draws(models[place]);
            for (std::size_t s = 0; s < n_samples; ++s) {
                if (x[s] > scratch_[s]) {
                    second_[s] = scratch_[s];
                    scratch_[s] = x[s];
                    owner_[s] = place;
                } else if (x[s] > second_[s]) {
                    second_[s] = x[s];
                }
            }
        }
        loss_.assign(models.size(), 0.0);
        for (std::size_t s = 0; s < n_samples; ++s) {
            if (owner_[s] < models.size()) loss_[owner_[s]] += scratch_[s] - second_[s];
        }
        for (double& loss : loss_) loss = per_sample(loss);
        std::fill(scratch_.begin() + static_cast<std::ptrdiff_t>(n_samples), scratch_.end(), 0.0);
    }

    std::size_t least_marginal(const std::vector<Local>& models) const {
        std::size_t worst = 0;
        for (std::size_t place = 1; place < models.size(); ++place) {
            if (loss_[place] - price_[models[place]] < loss_[worst] - price_[models[worst]]) {
                worst = place;
            }
        }
        return worst;
    }

    // Levels by complementary slackness: each model of the first set is paid for exactly by the
    // samples that it serves, all lowered to a common level but not below their second best.
    void start_levels(Level& root) {
        best_and_second(chosen_, root.best);
        root.level = scratch_;
        for (std::size_t place = 0; place < chosen_.size(); ++place) {
            const double price = price_[chosen_[place]];
            double low = lowest_;
            double high = -kInfinity;
            for (std::size_t s = 0; s < query_->problem.n_samples; ++s) {
                if (owner_[s] == place) high = std::max(high, scratch_[s]);
            }
            const auto lowered = [&](std::size_t s, double to) {
                return std::max(second_[s], std::min(scratch_[s], to));
            };
            for (int i = 0; i < 20 && low < high; ++i) {
                const double middle = 0.5 * (low + high);
                double payment = 0.0;
                for (std::size_t s = 0; s < query_->problem.n_samples; ++s) {
                    if (owner_[s] == place) payment += scratch_[s] - lowered(s, middle);
                }
                (per_sample(payment) > price ? low : high) = middle;
            }
            for (std::size_t s = 0; s < query_->problem.n_samples; ++s) {
                if (owner_[s] == place) root.level[s] = lowered(s, high);
            }
        }
    }

    // ---- the search ----

    // Returns whether it came to its end within the limits.
    bool search() {
        included_.clear();
        depth_ = 0;
        Level& root = levels_[0];
        root.free.resize(m());
        for (Local j = 0; j < m(); ++j) root.free[j] = j;
        root.bound = kInfinity;
        root.paid = 0.0;
        root.opened = false;
        if (goal_ == Goal::kTradeoff) start_levels(root);
        for (;;) {
            Level& node = levels_[depth_];
            const bool live = enter(node) && bound(node) == Bound::kOpen;
            if (cut_) return false;
            if (live && !node.free.empty()) {
                descend(node);
            } else {
                if (depth_ == 0) return true;
                --depth_;
                included_.pop_back();
            }
        }
    }

    // The bound of all that is open when a limit ends the search.
    double open_bound() const {
        double bound = best_tradeoff_;
        for (std::size_t d = 0; d <= depth_; ++d) {
            if (levels_[d].bound < kInfinity) bound = std::max(bound, levels_[d].bound);
        }
        return bound + allowance_;
    }

    // First visit: evaluates the included set; false where no set above it can count.
    bool enter(Level& node) {
        if (node.opened) return true;
        node.opened = true;
        if (nothing_yet()) return true;
        evaluate(included_, node.best.data());
        if (included_.size() == query_->max_new) return false;
        if (goal_ == Goal::kTie && hopeless_key(node)) return false;
        if (!members_pay()) return false;
        std::erase_if(node.free,
                      [&](Local j) { return !may_gain(excess(j, node.best) - price_[j]); });
        return true;
    }

    // Whether a set that counts may hold a model of this marginal gain: by submodularity it never
    // gains more in a larger set, and without it that set would be no worse.
    bool may_gain(double gain) const {
        if (goal_ == Goal::kTie) return gain + allowance_ >= -kTieTolerance;
        return coarse() ? gain + allowance_ >= 0.0 : gain > 0.0;
    }

    // Lemma 1 on every member.
    bool members_pay() {
        const bool alone = query_->ran.empty() && included_.size() == 1;
        if (included_.empty() || alone) return true;
        best_and_second(included_, levels_[0].best);
        const std::size_t worst = least_marginal(included_);
        return may_gain(loss_[worst] - price_[included_[worst]]);
    }

    // Whether no set above the included one can win the tie against the choice so far.
    bool hopeless_key(const Level& node) {
        const double cost = canonical_cost(included_);
        if (query_->problem.ties == Ties::kCheapest) {
            // Sets above cost no less and have more models.
            const double tradeoff = query_->mean(node.best.data()) - query_->lambda * cost;
            if (tradeoff >= best_tradeoff_ - kTieTolerance) return true;
            if (cost != decision_->cost) return cost > decision_->cost;
            return included_.size() >= decision_->added.size();
        }
        everything_ = node.free;  // the dearest that fit
        std::sort(everything_.begin(), everything_.end(), std::greater<>());
        everything_.resize(std::min(everything_.size(), query_->max_new - included_.size()));
        everything_.insert(everything_.end(), included_.begin(), included_.end());
        const double most = canonical_cost(everything_);
        if (most != decision_->cost) return most < decision_->cost;
        return included_.size() >= decision_->added.size();
    }

    double canonical_cost(const std::vector<Local>& models) {
        sorted_ = models;
        std::sort(sorted_.begin(), sorted_.end());
        double cost = 0.0;
        for (const Local j : sorted_) cost += query_->costs[order_[j]];
        return cost;
    }

    // Whether a bound rules out that anything below it counts.
    bool rules_out(double bound) const {
        if (goal_ == Goal::kTie) return bound + allowance_ < best_tradeoff_ - kTieTolerance;
        return bound <= best_tradeoff_ + (coarse() ? -allowance_ : allowance_);
    }

    // Whether rounding may hide more than what ties. Then only what is worse beyond it is dropped;
    // else also what is no better but for rounding, which spares the search a host of equals.
    bool coarse() const { return allowance_ > 0.1 * kTieTolerance; }

    enum class Bound : std::uint8_t { kOpen, kClosed };

    Bound bound(Level& node) {
        ++nodes_;
        if (node.free.empty()) return Bound::kClosed;
        const bool none = nothing_yet();
        const std::size_t length = query_->length;
        const std::size_t n_samples = query_->problem.n_samples;
        const std::size_t slots = query_->max_new - included_.size();

        // No level is worth more than the best draw there is, nor less than what is included.
        top_.assign(draws(node.free[0]), draws(node.free[0]) + length);
        for (const Local j : node.free) kernels::raise(top_.data(), draws(j), length);
        if (!none) kernels::raise(top_.data(), node.best.data(), length);
        level_ = node.level;
        if (!none) kernels::raise(level_.data(), node.best.data(), length);
        kernels::lower(level_.data(), top_.data(), length);

        double best = kInfinity;
        const int steps = depth_ == 0 ? kRootSteps : kChildSteps;
        double length_of_step = 1.0;
        int stale = 0;
        for (int step = 0;; ++step) {
            const double total = evaluate_level(node, slots, none);
            if (total < best) {
                stale = best - total > 0.01 * (best - best_tradeoff_) ? 0 : stale + 1;
                best = total;
                node.bound = std::min(node.bound, total);
                node.level = level_;
            } else {
                ++stale;
            }
            if (rules_out(total)) return Bound::kClosed;
            control_->check();
            if (limit_reached()) {
                cut_ = true;
                return Bound::kOpen;
            }
            exclude(node);
            if (node.free.empty()) return Bound::kClosed;
            if (step == steps) return Bound::kOpen;
            if (stale == kPatience) {
                length_of_step *= 0.5;
                stale = 0;
                level_ = node.level;
                if (length_of_step < 0.1) return Bound::kOpen;
                evaluate_level(node, slots, none);
            }

            // One step down the subgradient 1 - (number of paying models above the level).
            slope_.assign(length, -1.0);
            for (const Local j : node.free) {
                if (j == only_ || (reduced_[j] > 0.0 && reduced_[j] >= least_paying_)) {
                    kernels::count_above(slope_.data(), draws(j), level_.data(), length);
                }
            }
            double norm = 0.0;
            for (std::size_t s = 0; s < n_samples; ++s) {
                const double floor = none ? lowest_ : node.best[s];
                if (slope_[s] < 0.0 && level_[s] <= floor) slope_[s] = 0.0;
                if (slope_[s] > 0.0 && level_[s] >= top_[s]) slope_[s] = 0.0;
                norm += slope_[s] * slope_[s];
            }
            if (norm == 0.0) return Bound::kOpen;
            const double target =
                goal_ == Goal::kTradeoff ? best_tradeoff_ : best_tradeoff_ - 2.0 * kTieTolerance;
            const double move =
                length_of_step * (total - target) * static_cast<double>(n_samples) / norm;
            for (std::size_t s = 0; s < n_samples; ++s) {
                const double floor = none ? lowest_ : node.best[s];
                level_[s] = std::min(top_[s], std::max(floor, level_[s] + move * slope_[s]));
            }
        }
    }

    // The bound of level_. Also the reduced cost of every free model; least_paying_, that of the
    // last one that fits the slots (0: there is room); unrestricted_, the bound of all sets, the
    // empty one included; and only_, the model of the bound where something must run but none pays.
    double evaluate_level(const Level& node, std::size_t slots, bool none) {
        const double base = query_->mean(level_.data()) - node.paid;
        paying_.clear();
        Local most = node.free[0];
        for (const Local j : node.free) {
            reduced_[j] = excess(j, level_) - price_[j];
            if (reduced_[j] > reduced_[most]) most = j;
            if (reduced_[j] > 0.0) paying_.push_back(reduced_[j]);
        }
        least_paying_ = 0.0;
        if (paying_.size() >= slots) {
            std::nth_element(paying_.begin(),
                             paying_.begin() + static_cast<std::ptrdiff_t>(slots - 1),
                             paying_.end(), std::greater<>());
            least_paying_ = paying_[slots - 1];
            paying_.resize(slots);
        }
        double total = base;
        for (const double gain : paying_) total += gain;
        unrestricted_ = total;
        only_ = none && reduced_[most] < 0.0 ? most : m();
        return only_ == m() ? total : base + reduced_[most];
    }

    // Drops free models that no set which counts contains, by their reduced cost.
    void exclude(Level& node) {
        std::erase_if(node.free, [&](Local j) {
            return reduced_[j] <= least_paying_ &&
                   rules_out(unrestricted_ - least_paying_ + reduced_[j]);
        });
    }

    bool limit_reached() const {
        const Problem& problem = query_->problem;
        return (problem.node_limit != 0 && nodes_ > problem.node_limit) ||
               (problem.time_limit > 0.0 && Clock::now() > deadline_);
    }

    // Branches on the free model that serves most, first with it; the node keeps it excluded.
    void descend(Level& node) {
        Local pick = node.free[0];
        for (const Local j : node.free) {
            if (reduced_[j] + price_[j] > reduced_[pick] + price_[pick]) pick = j;
        }
        std::erase(node.free, pick);
        if (levels_.size() == depth_ + 1) levels_.emplace_back();
        Level& parent = levels_[depth_];  // emplace_back may have moved it
        Level& child = levels_[depth_ + 1];
        child.best = parent.best;
        if (nothing_yet()) {
            std::copy_n(draws(pick), query_->length, child.best.begin());
        } else {
            kernels::raise(child.best.data(), draws(pick), query_->length);
        }
        child.level = parent.level;
        child.free = parent.free;
        child.bound = kInfinity;
        child.paid = parent.paid + price_[pick];
        child.opened = false;
        included_.push_back(pick);
        ++depth_;
    }

    const Query* query_ = nullptr;
    Decision* decision_ = nullptr;
    Control* control_ = nullptr;

    Goal goal_ = Goal::kTradeoff;
    double best_tradeoff_ = 0.0;
    double allowance_ = 0.0;  // of rounding
    double lowest_ = 0.0;     // no useful level is below
    bool restart_ = false;    // a better tradeoff turned up while the tie was settled
    bool cut_ = false;        // a limit was reached
    std::size_t nodes_ = 0;
    Clock::time_point deadline_;

    std::vector<std::size_t> order_;  // candidates from the cheapest up
    std::vector<double> price_;       // f of each candidate

    std::vector<Level> levels_;
    std::size_t depth_ = 0;
    std::vector<Local> included_;  // one for each level below the root

    // Of the bound in work.
    std::vector<double> level_, top_, slope_, reduced_, paying_;
    double least_paying_ = 0.0;
    double unrestricted_ = 0.0;
    Local only_ = 0;

    // Of the set in work.
    std::vector<Local> chosen_, sorted_, everything_;
    std::vector<std::size_t> models_;
    std::vector<double> scratch_, second_, loss_;
    std::vector<std::size_t> owner_;
};

}  // namespace

std::unique_ptr<Decider> make_exact() {
    return std::make_unique<Exact>();
}

}  // namespace headrace
