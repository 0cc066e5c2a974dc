// Exact search: branch and bound with a certificate.
//
// A greedy set comes first, then the dual bound of facility location (dual.hpp) at the levels of
// complementary slackness; where nothing has run, those of one model serve both, unless the set has
// more. The bound excludes most models at once; the draws of the others are laid side by side in a
// pool. There the levels improve by subgradient steps of Polyak's length (1969), deflected from the
// step before (Camerini, Fratta and Maffioli, 1975), models are excluded and included by their
// reduced gains and by Lemma 1 of the cascade-routing paper applied to every member, and the search
// branches on what is left, until so few models are free that their sets are looked at one by one,
// but for those that submodularity rules out.
//
// Only what cannot tie with the best is ruled out, so that one pass finds every set that ties, as
// long as there are few. Where there are many, the pass goes on to find the best tradeoff alone,
// and a second one looks for the set that wins the tie. Bounds are compared with an allowance for
// rounding, and every set that counts is evaluated as the contract says, so the choice is that of
// enumeration.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>

#include "best_two.hpp"
#include "construct.hpp"
#include "descent.hpp"
#include "dual.hpp"
#include "kernels.hpp"
#include "pace.hpp"
#include "pool.hpp"
#include "registry.hpp"
#include "tied_sets.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kRootSteps = 12;  // branching soon proves more than further ones
constexpr int kChildSteps = 2;
constexpr std::size_t kFew = 8;  // sets of these are looked at one by one
constexpr double kClose = 2.0;   // factor between prices
constexpr double kMemory = 0.8;  // of the share of steps in which a model paid

// Most sets are of one model, and where decisions are far apart, all code that runs is paid for.
template <class T>
void ascend(std::vector<T>& set) {
    if (set.size() > 1) std::sort(set.begin(), set.end());
}

// A node on the path from the root: models included up to here, others free.
struct Level {
    Doubles best;   // best draws of what has run or is included
    Doubles level;  // w of the bound, the best found
    std::vector<Local> free;
    std::vector<double> gains;   // of each of these over `level`; none where it is not known
    double bound = kInfinity;    // of every set below this node that is still open
    double paid = 0.0;           // sum of prices over the included, in any order
    std::size_t n_included = 0;  // of included_ belong to this node
    bool opened = false;
};

class Exact final : public Decider {
public:
    Draws draws() const override { return Draws::kOnDemand; }

    void decide(const Query& query, Decision& decision, Control& control) override {
        last_lambda_ = kInfinity;
        decide_again(query, decision, control);
    }

    void decide_again(const Query& query, Decision& decision, Control& control) override {
        query_ = &query;
        decision_ = &decision;
        start(control);
        goal_ = coarse() ? Goal::kBest : Goal::kAllTied;
        if (query.max_new == 0) return stop(0);
        if (!gather()) return stop(1);
        bool proven = search();
        decision.upper_bound = proven ? best_tradeoff_ + allowance_ : open_bound();
        const bool all_tied = goal_ == Goal::kAllTied;
        choose();
        if (proven && !all_tied) proven = settle_tie();
        decision.optimal = proven;
        decision.nodes = nodes_;
        last_lambda_ = query.lambda;
        last_set_ = decision.added;
    }

private:
    enum class Goal : std::uint8_t {
        kAllTied,  // every set that ties with the best
        kBest,     // one set of the best tradeoff
        kTie,      // the set that wins the tie with the best tradeoff, which is known
    };

    // Decides for what has run, after so many nodes: nothing else counts.
    void stop(std::size_t nodes) {
        decision_->added.clear();
        decision_->quality = query_->mean(ran_.data());
        decision_->cost = 0.0;
        decision_->upper_bound = decision_->quality;
        decision_->optimal = true;
        decision_->nodes = nodes;
        last_lambda_ = kInfinity;
    }

    bool nothing_yet() const { return included_.empty() && query_->ran.empty(); }
    const double* ran() const { return query_->ran.empty() ? nullptr : ran_.data(); }

    void start(Control& control) {
        const Query& query = *query_;
        pace_.start(query.problem, control);
        allowance_ = query.rounding_allowance();
        lowest_ = -query.largest();
        ran_.resize(query.length);
        query.best_of_ran(ran_.data());
        included_.clear();
        tied_.clear();
        nodes_ = 0;
        cut_ = false;
        best_tradeoff_ = -kInfinity;
    }

    // ---- sets that count ----

    // Evaluates what has run with `models` (any order, which is kept), of the expected quality, as
    // the contract says.
    void evaluate(const std::vector<Local>& models, double quality) {
        const double cost = canonical_cost(models);
        const double tradeoff = quality - query_->lambda * cost;
        switch (goal_) {
            case Goal::kAllTied:
                if (tradeoff < best_tradeoff_ - kTieTolerance) return;
                to_models(models);
                if (tradeoff > best_tradeoff_) {
                    best_tradeoff_ = tradeoff;
                    accept(quality, cost);
                    tied_.drop_below(best_tradeoff_ - kTieTolerance);
                }
                if (!tied_.add(tradeoff, quality, cost, models_)) goal_ = Goal::kBest;
                return;
            case Goal::kBest:
                if (!(tradeoff > best_tradeoff_)) return;
                best_tradeoff_ = tradeoff;
                to_models(models);
                accept(quality, cost);
                return;
            case Goal::kTie:
                if (tradeoff < best_tradeoff_ - kTieTolerance) return;
                to_models(models);
                if (tradeoff > best_tradeoff_) {  // by less than the allowance: the tie has moved
                    best_tradeoff_ = tradeoff;
                    moved_ = true;
                    accept(quality, cost);
                } else if (wins_tie({cost, models_}, {decision_->cost, decision_->added},
                                    query_->problem.ties)) {
                    accept(quality, cost);
                }
        }
    }

    void accept(double quality, double cost) {
        decision_->added = models_;
        decision_->quality = quality;
        decision_->cost = cost;
    }

    // Takes the winner among the best set and those that are known to tie with it.
    void choose() {
        tied_.drop_below(best_tradeoff_ - kTieTolerance);
        for (const TiedSets::Entry& entry : tied_) {
            if (!wins_tie({entry.cost, entry.models}, {decision_->cost, decision_->added},
                          query_->problem.ties)) {
                continue;
            }
            models_ = entry.models;
            accept(entry.quality, entry.cost);
        }
    }

    // Returns whether it came to its end within the limits.
    bool settle_tie() {
        goal_ = Goal::kTie;
        do {
            moved_ = false;
            if (!search()) return false;
            decision_->upper_bound = std::max(decision_->upper_bound, best_tradeoff_ + allowance_);
        } while (moved_);
        return true;
    }

    // Fills models_.
    void to_models(const std::vector<Local>& locals) {
        models_.resize(locals.size());
        for (std::size_t place = 0; place < locals.size(); ++place) {
            models_[place] = pool_.model(locals[place]);
        }
        ascend(models_);
    }

    double canonical_cost(const std::vector<Local>& models) {
        sorted_ = models;
        ascend(sorted_);
        double cost = 0.0;
        for (const Local j : sorted_) cost += pool_.cost(j);
        return cost;
    }

    // ---- the pool ----

    // A first set, the levels that it suggests, and the models that their bound leaves. Set and
    // levels that were good at a price close by are better still. False where what has run is the
    // only choice.
    bool gather() {
        const Query& query = *query_;
        Level& root = first_level();
        if (query.lambda <= kClose * last_lambda_ && last_lambda_ <= kClose * query.lambda) {
            first_set_ = last_set_;
            evaluate_first();
            root.level = last_level_;
            query.gains(root.level.data(), gains_, pace_);
        } else if (ran() == nullptr) {
            gather_from_one(root);
        } else {
            first_set_.clear();
            query.gains(ran(), gains_, pace_);
            if (nothing_ties(gains_)) return false;
            construction_.greedy(query, ran(), gains_, pace_, first_set_);
            evaluate_first();
            if (chosen_.empty()) {
                root.level = ran_;
            } else {
                make_levels(root);
                query.renew_gains(root.level.data(), gains_, pace_);
            }
        }
        dual_.set(query.mean(root.level.data()), gains_, query.max_new, ran() == nullptr);
        first_bound_ = dual_.total();
        survivors_.clear();
        for (std::size_t c = 0; c < gains_.size(); ++c) {
            if (cannot_tie(dual_.with(gains_[c]))) continue;
            const std::size_t i = query.candidates[c];
            if (gains_[c] <= 0.0) {  // it may be a bound
                gains_[c] = query.gain(i, root.level.data(), pace_);
                if (cannot_tie(dual_.with(gains_[c]))) continue;
            }
            survivors_.push_back(i);
        }
        // By submodularity each of a set gains no less in a part of it.
        settled_ = survivors_ == first_set_ && least_marginal_gain_ > allowance_ + kTieTolerance;
        if (settled_) {
            last_level_.swap(root.level);
            return true;
        }
        last_level_ = root.level;
        pool_.fill(query, survivors_);
        undominated_.resize(pool_.size());
        for (Local j = 0; j < pool_.size(); ++j) undominated_[j] = j;
        improved_ = false;
        return true;
    }

    // Where nothing has run: the levels of the best set of one, which are below its draws, so that
    // gains over them bound what others add to it.
    void gather_from_one(Level& root) {
        const Query& query = *query_;
        first_set_.assign(1, Construction::best_alone(query));
        pool_.fill(query, first_set_);
        const double* draws = pool_.draws(0);
        const std::size_t n_samples = query.problem.n_samples;
        root.level.resize(query.length);
        SlackLevels::make_alone({draws, n_samples}, pool_.price(0), lowest_, root.level.data());
        std::fill(root.level.begin() + static_cast<std::ptrdiff_t>(n_samples), root.level.end(),
                  0.0);
        query.gains(root.level.data(), gains_, pace_);
        construction_.greedy(query, draws, gains_, pace_, first_set_);
        if (first_set_.size() == 1) {
            chosen_.assign(1, 0);
            evaluate(chosen_, query.mean(draws));
            least_marginal_gain_ = kInfinity;
        } else {
            evaluate_first();
            // (x - new)+ is at most (x - old)+ and (old - new)+.
            level_ = root.level;
            make_levels(root);
            const double fall = query.excess(level_.data(), root.level.data()) + allowance_;
            for (double& gain : gains_) gain += fall;
            query.renew_gains(root.level.data(), gains_, pace_);
        }
    }

    // Evaluates what has run, and with it the first set less what gains by going: these are
    // chosen_, in two_.
    void evaluate_first() {
        pool_.fill(*query_, first_set_);
        chosen_.resize(pool_.size());
        for (Local j = 0; j < pool_.size(); ++j) chosen_[j] = j;
        drop_redundant();
        if (ran() != nullptr) evaluate({}, query_->mean(ran()));
        if (!chosen_.empty()) evaluate(chosen_, query_->mean(two_.best().data()));
        first_set_.clear();
        for (const Local j : chosen_) first_set_.push_back(pool_.model(j));
        ascend(first_set_);
    }

    void make_levels(Level& root) {
        prices_.clear();
        for (const Local j : chosen_) prices_.push_back(pool_.price(j));
        slack_levels_.make(two_, prices_, query_->problem.n_samples, lowest_, root.level);
    }

    // Whether no model that gains so much over what has run is in a set that ties with it.
    bool nothing_ties(const std::vector<double>& gains) const {
        return std::all_of(gains.begin(), gains.end(),
                           [this](double gain) { return gain + allowance_ < -kTieTolerance; });
    }

    // Holds `models` in two_, over the draws of what has run, or over others that are nobody's.
    void hold(const std::vector<Local>& models) { hold(models, ran()); }
    void hold(const std::vector<Local>& models, const double* others) {
        two_.start(*query_, others, lowest_);
        for (const Local j : models) two_.add(pool_.draws(j));
        pace_.work(2 * models.size() * query_->length);
    }

    // Drops from chosen_ what gains by going, the most first; leaves the rest in two_.
    void drop_redundant() {
        for (;;) {
            least_marginal_gain_ = kInfinity;
            if (chosen_.empty()) return;
            hold(chosen_);
            if (chosen_.size() <= (ran() == nullptr ? 1U : 0U)) return;
            const std::size_t worst = least_marginal(chosen_);
            least_marginal_gain_ = losses_[worst] - pool_.price(chosen_[worst]);
            if (least_marginal_gain_ >= 0.0) return;
            chosen_.erase(chosen_.begin() + static_cast<std::ptrdiff_t>(worst));
        }
    }

    // The place of the model whose marginal gain is the lowest in the set that two_ holds.
    std::size_t least_marginal(const std::vector<Local>& models) {
        losses_ = two_.losses();
        std::size_t worst = 0;
        for (std::size_t place = 1; place < models.size(); ++place) {
            if (losses_[place] - pool_.price(models[place]) <
                losses_[worst] - pool_.price(models[worst])) {
                worst = place;
            }
        }
        return worst;
    }

    // ---- the search ----

    Level& first_level() {
        if (levels_.empty()) levels_.emplace_back();
        return levels_[0];
    }

    // Returns whether it came to its end within the limits.
    bool search() {
        included_.clear();
        depth_ = 0;
        if (settled_) {
            ++nodes_;
            return true;
        }
        Level& root = first_level();
        root.best = ran_;
        root.free = undominated_;
        root.gains.clear();
        root.bound = first_bound_;
        root.paid = 0.0;
        root.n_included = 0;
        root.opened = false;
        frequency_.assign(pool_.size(), 0.0);
        for (;;) {
            const bool live = enter(levels_[depth_]) && bound(levels_[depth_]) == Bound::kOpen;
            if (cut_) return false;
            if (live && depth_ == 0 && !improved_) {
                improve(levels_[0]);
            } else if (live) {
                descend();
            } else {
                if (depth_ == 0) return true;
                --depth_;
                included_.resize(levels_[depth_].n_included);
            }
        }
    }

    // The bound of all that is open when a limit ends the search.
    double open_bound() const {
        double bound = best_tradeoff_;
        for (std::size_t d = 0; d <= depth_; ++d) bound = std::max(bound, levels_[d].bound);
        return bound + allowance_;
    }

    // First visit: evaluates the included set; false where no set above it can count.
    bool enter(Level& node) {
        if (node.opened) return true;
        node.opened = true;
        return nothing_yet() || settle_included(node);
    }

    // After a change of what is included: false where no set above it can count. Else drops the
    // free models that cannot gain any more. By submodularity no set above it gains more than they
    // do one by one.
    bool settle_included(Level& node) {
        if (included_.size() > query_->max_new) return false;
        const double quality = query_->mean(node.best.data());
        evaluate(included_, quality);
        if (included_.size() == query_->max_new) return false;
        if (goal_ == Goal::kTie && hopeless_key(node)) return false;
        if (!members_pay()) return false;
        pool_.gains(node.free, node.best.data(), gains_, pace_);
        double rise = 0.0;  // added by itself: it may be small beside the rest
        std::size_t kept = 0;
        for (std::size_t f = 0; f < gains_.size(); ++f) {
            rise += std::max(gains_[f], 0.0);
            if (may_gain(gains_[f])) node.free[kept++] = node.free[f];
        }
        node.free.resize(kept);
        const double bound = quality - node.paid + rise;
        node.bound = std::min(node.bound, bound);
        return !rules_out(bound);
    }

    // Whether a set that counts may hold a model of this marginal gain: by submodularity it never
    // gains more in a larger set, and without it that set would be no worse.
    bool may_gain(double gain) const {
        if (goal_ != Goal::kBest) return gain + allowance_ >= -kTieTolerance;
        return coarse() ? gain + allowance_ >= 0.0 : gain > 0.0;
    }

    // Lemma 1 on every member.
    bool members_pay() {
        const bool alone = query_->ran.empty() && included_.size() == 1;
        if (included_.empty() || alone) return true;
        hold(included_);
        const std::size_t worst = least_marginal(included_);
        return may_gain(losses_[worst] - pool_.price(included_[worst]));
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
        const bool all = everything_.size() == node.free.size() && !everything_.empty() &&
                         pool_.cost(everything_.back()) > query_->cost_rounding();
        everything_.insert(everything_.end(), included_.begin(), included_.end());
        const double most = canonical_cost(everything_);
        if (all) {  // dearer than all others here, so if it ties it is their winner
            level_ = node.best;
            for (const Local j : node.free) {
                kernels::raise(level_.data(), pool_.draws(j), level_.size());
            }
            pace_.work(node.free.size() * level_.size());
            const double quality = query_->mean(level_.data());
            if (quality - query_->lambda * most >= best_tradeoff_ - kTieTolerance) {
                evaluate(everything_, quality);
                return true;
            }
        }
        if (most != decision_->cost) return most < decision_->cost;
        return included_.size() >= decision_->added.size();
    }

    // Whether nothing below a bound ties with the best.
    bool cannot_tie(double bound) const {
        return bound + allowance_ < best_tradeoff_ - kTieTolerance;
    }

    // Whether a bound rules out that anything below it counts.
    bool rules_out(double bound) const {
        if (goal_ != Goal::kBest) return cannot_tie(bound);
        return bound <= best_tradeoff_ + (coarse() ? -allowance_ : allowance_);
    }

    // Whether rounding may hide more than what ties. Then only what is worse beyond it is dropped;
    // else also what is no better but for rounding, which spares the search a host of equals.
    bool coarse() const { return allowance_ > 0.1 * kTieTolerance; }

    enum class Bound : std::uint8_t { kOpen, kClosed };

    // Improves the node's levels, excluding and including models on the way.
    Bound bound(Level& node) {
        ++nodes_;
        if (node.free.size() <= kFew) return enumerate(node);
        const std::size_t length = query_->length;

        // No level is worth more than the best draw there is, nor less than what is included.
        if (nodes_ == 1 || goal_ == Goal::kTie) {
            hold_free(node);
            if (depth_ == 0) top_ = two_.best();
            if (include_essential(node)) {
                if (!settle_included(node)) return Bound::kClosed;
                if (node.free.size() <= kFew) return enumerate(node);
            }
        }
        floor_ = node.best;
        if (nothing_yet()) std::fill_n(floor_.begin(), query_->problem.n_samples, lowest_);
        level_ = node.level;
        kernels::raise(level_.data(), floor_.data(), length);
        kernels::lower(level_.data(), top_.data(), length);
        for (const Local j : node.free) frequency_[j] = 0.0;

        descent_.start(length);
        const double target = best_tradeoff_ - 2.0 * kTieTolerance;
        const int steps = depth_ == 0 && nodes_ == 1 ? kRootSteps : kChildSteps;
        if (goal_ == Goal::kTie) node.gains.clear();  // the top may be lower than it was
        for (int step = 0;; ++step) {
            if (step == 0 && !node.gains.empty()) {
                gains_ = node.gains;
            } else {
                pool_.gains(node.free, level_.data(), gains_, pace_);
            }
            measure(node);
            if (descent_.note(dual_.total(), target)) {
                node.bound = std::min(node.bound, dual_.total());
                node.level = level_;
                node.gains = gains_;
                if (included_.empty()) last_level_ = level_;
            }
            if (rules_out(dual_.total())) return Bound::kClosed;
            if (limit_reached()) {
                cut_ = true;
                return Bound::kOpen;
            }
            const bool included = filter(node);
            if (included && !settle_included(node)) return Bound::kClosed;
            if (node.free.size() <= kFew) return enumerate(node);
            if (included) {
                floor_ = node.best;
                kernels::raise(level_.data(), floor_.data(), length);
                node.level = level_;
                node.gains.clear();
                descent_.forget();
            } else if (step >= steps || !descent_.move(level_, node.level, floor_, top_, target,
                                                       query_->problem.n_samples)) {
                return Bound::kOpen;
            }
        }
    }

    // Holds the free models in two_: as chosen_ those that may be essential, the others as draws
    // that are nobody's. What is essential is in the best set there is; it is looked for in the
    // best so far, and everywhere while a tie is settled.
    void hold_free(const Level& node) {
        level_ = node.best;
        bool none = nothing_yet();
        chosen_.clear();
        for (const Local j : node.free) {
            if (goal_ == Goal::kTie || is_added(j)) {
                chosen_.push_back(j);
            } else if (none) {
                std::copy_n(pool_.draws(j), level_.size(), level_.begin());
                none = false;
            } else {
                kernels::raise(level_.data(), pool_.draws(j), level_.size());
            }
        }
        pace_.work((node.free.size() - chosen_.size()) * level_.size());
        hold(chosen_, none ? nullptr : level_.data());
    }

    // Includes the models of chosen_, held by hold_free(), that gain even where all the others are
    // in: by submodularity they gain in every set that has room. Returns whether there is one.
    bool include_essential(Level& node) {
        if (chosen_.empty() || node.free.size() > query_->max_new - included_.size()) return false;
        const double enough = allowance_ + (goal_ == Goal::kBest ? 0.0 : kTieTolerance);
        losses_ = two_.losses();
        const std::size_t before = included_.size();
        for (std::size_t place = 0; place < losses_.size(); ++place) {
            const Local j = chosen_[place];
            if (!(losses_[place] - pool_.price(j) > enough)) continue;
            include(node, j);
            std::erase(node.free, j);
        }
        node.n_included = included_.size();
        return included_.size() > before;
    }

    // Whether a model is in the best set.
    bool is_added(Local j) const {
        const std::vector<std::size_t>& added = decision_->added;
        return std::binary_search(added.begin(), added.end(), pool_.model(j));
    }

    // The bound of level_, of which gains_ are: fills dual_ and the slope.
    void measure(const Level& node) {
        const std::size_t length = query_->length;
        const std::size_t slots = query_->max_new - included_.size();
        pace_.work(node.free.size() * length);
        dual_.set(query_->mean(level_.data()) - node.paid, gains_, slots, nothing_yet());
        Doubles& slope = descent_.slope();
        std::fill(slope.begin(), slope.end(), -1.0);
        for (std::size_t f = 0; f < gains_.size(); ++f) {
            const Local j = node.free[f];
            frequency_[j] *= kMemory;
            if (!dual_.counts(gains_[f])) continue;
            frequency_[j] += 1.0 - kMemory;
            kernels::count_above(slope.data(), pool_.draws(j), level_.data(), length);
        }
    }

    // Drops the free models that no set which counts contains, and includes those that every such
    // set contains, by their gains. The bound itself is not ruled out, and holds with what it
    // counts and without what it does not. Returns whether one was included.
    bool filter(Level& node) {
        const std::size_t before = included_.size();
        std::size_t kept = 0;
        for (std::size_t f = 0; f < gains_.size(); ++f) {
            const Local j = node.free[f];
            const bool counts = dual_.counts(gains_[f]);
            if (!rules_out(counts ? dual_.without(gains_[f]) : dual_.with(gains_[f]))) {
                node.gains[kept] = node.gains[f];
                node.free[kept++] = j;
            } else if (counts) {
                include(node, j);
            }
        }
        node.free.resize(kept);
        node.gains.resize(kept);
        node.n_included = included_.size();
        return included_.size() > before;
    }

    void include(Level& node, Local j) {
        if (nothing_yet()) {
            std::copy_n(pool_.draws(j), query_->length, node.best.begin());
        } else {
            kernels::raise(node.best.data(), pool_.draws(j), query_->length);
        }
        node.paid += pool_.price(j);
        included_.push_back(j);
    }

    // Looks at every set of what is included, which has been evaluated, with free models, and
    // evaluates those that may count.
    Bound enumerate(const Level& node) {
        few_.resize(std::max(few_.size(), node.free.size() + 1));
        if (!nothing_yet()) {
            few_[0].free = node.free;
            add_few(0, node.best.data(), query_->mean(node.best.data()), node.paid);
            return Bound::kClosed;
        }
        for (auto j = node.free.begin(); j != node.free.end(); ++j) {
            const double* draws = pool_.draws(*j);
            const double quality = query_->mean(draws);
            included_.push_back(*j);
            evaluate(included_, quality);
            few_[0].free.assign(j + 1, node.free.end());
            add_few(0, draws, quality, pool_.price(*j));
            included_.pop_back();
        }
        return Bound::kClosed;
    }

    // The same for what is included with some of few_[depth].free. By submodularity no model gains
    // more in a larger set, and none of these sets more than their models do one by one.
    void add_few(std::size_t depth, const double* best, double quality, double paid) {
        Few& few = few_[depth];
        if (few.free.empty() || included_.size() == query_->max_new) return;
        pool_.gains(few.free, best, few.gains, pace_);
        double rise = 0.0;
        std::size_t kept = 0;
        for (std::size_t f = 0; f < few.gains.size(); ++f) {
            if (!may_gain(few.gains[f])) continue;
            rise += std::max(few.gains[f], 0.0);
            const double gain = few.gains[f];
            const Local j = few.free[f];
            std::size_t place = kept++;
            for (; place > 0 && few.gains[place - 1] < gain; --place) {
                few.gains[place] = few.gains[place - 1];
                few.free[place] = few.free[place - 1];
            }
            few.gains[place] = gain;
            few.free[place] = j;
        }
        few.free.resize(kept);
        few.raised.resize(query_->length);
        for (std::size_t f = 0; f < kept && !cannot_tie(quality - paid + rise); ++f) {
            const Local j = few.free[f];
            const double sum =
                kernels::raise_into(few.raised.data(), best, pool_.draws(j), query_->length);
            const double higher = sum / static_cast<double>(query_->problem.n_samples);
            const double more = paid + pool_.price(j);
            pace_.work(query_->length);
            included_.push_back(j);
            if (!cannot_tie(higher - more)) evaluate(included_, higher);
            few_[depth + 1].free.assign(few.free.begin() + static_cast<std::ptrdiff_t>(f) + 1,
                                        few.free.end());
            add_few(depth + 1, few.raised.data(), higher, more);
            included_.pop_back();
            rise -= std::max(few.gains[f], 0.0);
        }
    }

    bool limit_reached() const {
        const std::size_t limit = query_->problem.node_limit;
        return (limit != 0 && nodes_ > limit) || pace_.late();
    }

    // Once, where the root stays open: fewer models, and a better set from those that its bound
    // counts most.
    void improve(Level& root) {
        improved_ = true;
        root.gains.clear();
        if (goal_ == Goal::kAllTied) {  // what is free no more cannot tie, or always does
            drop_dominated(root.free);
            undominated_ = root.free;
            undominated_.insert(undominated_.end(), included_.begin(), included_.end());
        } else {
            drop_dominated(undominated_);
            std::erase_if(root.free, [&](Local j) {
                return !std::binary_search(undominated_.begin(), undominated_.end(), j);
            });
        }
        chosen_ = included_;
        for (const Local j : root.free) {
            if (frequency_[j] > 0.5 && chosen_.size() < query_->max_new) chosen_.push_back(j);
        }
        if (chosen_.empty() && ran() == nullptr) chosen_.push_back(undominated_.front());
        construction_.improve(*query_, pool_, root.free, ran(), lowest_, pace_, chosen_);
        hold(chosen_);
        evaluate(chosen_, query_->mean(two_.best().data()));
    }

    // Drops models that another one can replace in every set, which then wins the tie. It is never
    // the worse answer and
    // - cheaper beyond rounding, or no dearer and before it in the order of the models;
    // - for the dearest ties: as dear and before it; and where both are in, the other is dead
    //   weight, because it is free or its price alone breaks the tie.
    void drop_dominated(std::vector<Local>& free) {
        const bool dearest = query_->problem.ties == Ties::kDearest;
        const auto replaces = [&](Local by, Local j) {
            const double saved = pool_.cost(j) - pool_.cost(by);
            const bool before = pool_.model(by) < pool_.model(j);
            if (!dearest) return saved > query_->cost_rounding() || (saved >= 0.0 && before);
            return saved == 0.0 && before &&
                   (pool_.cost(j) == 0.0 || pool_.price(j) > kTieTolerance + allowance_);
        };
        sums_.clear();  // where no draw is lower, nor is the sum: rounding keeps the order
        std::size_t kept = 0;
        for (std::size_t f = 0; f < free.size(); ++f) {
            const Local j = free[f];
            const double sum = kernels::sum(pool_.draws(j), query_->length);
            bool dominated = false;
            for (std::size_t place = 0; place < kept && !dominated; ++place) {
                dominated =
                    sums_[place] >= sum && replaces(free[place], j) &&
                    kernels::at_least(pool_.draws(free[place]), pool_.draws(j), query_->length);
            }
            pace_.work(query_->length + 8 * kept);
            if (dominated) continue;
            free[kept++] = j;
            sums_.push_back(sum);
        }
        free.resize(kept);
    }

    // Branches on a free model that serves much and is neither in nor out, first with it; the node
    // keeps it excluded.
    void descend() {
        Level* node = &levels_[depth_];
        std::size_t pick = 0;
        double most = -1.0;
        for (std::size_t f = 0; f < node->free.size(); ++f) {
            const Local j = node->free[f];
            const double undecided = std::min(frequency_[j], 1.0 - frequency_[j]) + 0.02;
            const double served = node->gains[f] + pool_.price(j);
            if (undecided * served > most) {
                most = undecided * served;
                pick = f;
            }
        }
        const Local j = node->free[pick];
        node->free.erase(node->free.begin() + static_cast<std::ptrdiff_t>(pick));
        node->gains.erase(node->gains.begin() + static_cast<std::ptrdiff_t>(pick));
        if (levels_.size() == depth_ + 1) {
            levels_.emplace_back();
            node = &levels_[depth_];
        }
        Level& child = levels_[depth_ + 1];
        child.best = node->best;
        child.level = node->level;
        child.free = node->free;
        child.gains.clear();
        child.bound = node->bound;
        child.paid = node->paid;
        child.opened = false;
        include(child, j);
        child.n_included = included_.size();
        ++depth_;
    }

    const Query* query_ = nullptr;
    Decision* decision_ = nullptr;
    Pace pace_;

    Goal goal_ = Goal::kAllTied;
    double best_tradeoff_ = 0.0;
    double allowance_ = 0.0;  // of rounding
    double lowest_ = 0.0;     // no draw and no useful level is below
    double first_bound_ = 0.0;
    bool settled_ = false;   // the first set alone is left
    bool improved_ = false;  // the root's set has been
    bool moved_ = false;     // a better tradeoff turned up while the tie was settled
    bool cut_ = false;       // a limit was reached
    std::size_t nodes_ = 0;
    TiedSets tied_;

    Doubles ran_;  // best draws of what has run
    std::vector<std::size_t> survivors_;
    std::vector<std::size_t> first_set_;  // models; ascending once it is evaluated
    double least_marginal_gain_ = 0.0;    // of a model of the first set; infinite if none may go
    Construction construction_;
    SlackLevels slack_levels_;
    Pool pool_;

    std::vector<Local> undominated_;
    std::vector<double> sums_;  // of the draws of models that none dominates

    std::vector<Level> levels_;
    std::size_t depth_ = 0;
    std::vector<Local> included_;
    std::vector<double> frequency_;  // of each model of the pool: how often its bound counted it

    // Of the bound in work.
    DualBound dual_;
    Descent descent_;
    Doubles level_, floor_;

    // Of the sets that are looked at, by how many models they add to a node.
    struct Few {
        std::vector<Local> free;  // that may be added
        std::vector<double> gains;
        Doubles raised;  // best draws with one of them
    };
    std::vector<Few> few_;

    Doubles top_;                // best draws of all models that were free at the root
    std::vector<double> gains_;  // of each free model; of each candidate while gathering

    // Of the set in work.
    BestTwo two_;
    std::vector<Local> chosen_, sorted_, everything_;
    std::vector<std::size_t> models_;
    std::vector<double> prices_, losses_;

    // Of the last decision; its price is infinite where it was of another row.
    double last_lambda_ = kInfinity;
    std::vector<std::size_t> last_set_;
    Doubles last_level_;  // the best found while all models were free
};

}  // namespace

std::unique_ptr<Decider> make_exact() {
    return std::make_unique<Exact>();
}

}  // namespace headrace
