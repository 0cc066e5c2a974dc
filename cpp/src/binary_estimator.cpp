// Probabilities of being right, by latent classes of queries. A signal multiplies the odds that its
// own model is right within each class, and the odds of the classes, which carry what it says to
// all the other models.
#include <algorithm>
#include <cmath>
#include <optional>

#include "estimator_base.hpp"
#include "kernels.hpp"
#include "latent_classes.hpp"
#include "log_ratios.hpp"
#include "signal_shifts.hpp"

namespace headrace {

namespace {

constexpr const char* kShifts = "SignalShifts";
constexpr double kSmallestPrior = 0.005;
constexpr double kSmallestChance = 1e-300;
constexpr std::size_t kGridIntervals = 200;                 // of beliefs between 0 and 1
constexpr std::size_t kMostChances = std::size_t{1} << 24;  // of all groups and classes

class Binary final : public EstimatorBase {
public:
    explicit Binary(SavedState& saved, const std::string& name)
        : EstimatorBase(saved, name),
          mean_(take_ridge(saved, name + ".mean_")),
          classes_(take_classes(saved, name + ".classes_")) {
        saved.drop_parameter(name + ".n_classes");
        saved.drop_parameter(name + ".signal_model");
        saved.count(name + ".n_classes_");
        take_sources(saved, name + ".ratios_", name + ".shifts_");
        take_reveals(saved, name + ".reveals_");
        if (general_.empty()) share_chances();
    }

    Uncertainty uncertainty() const override { return Uncertainty::kDeviations; }
    const RevealTables* reveals() const override { return reveals_ ? &*reveals_ : nullptr; }

    // Costs, scaled log-ratios seen of each model, logarithms of the classes' weights, room for the
    // weights and for the own features of a model; then the chances in each class, where features
    // make them the query's own.
    std::size_t n_kept() const override {
        const std::size_t k = n_models_;
        return 2 * k + 2 * classes_.size() + n_own_ + (general_.empty() ? 0 : classes_.size() * k);
    }

    void start(std::span<const double> features, const Known& known) const override {
        predict_costs(features, known.group, known.kept);
        std::fill_n(ratios_seen(known), n_models_, 0.0);
        if (!general_.empty()) {
            write_chances(features, known.group, own_chances(known));
        }
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            log_weights(known)[c] = std::log(classes_.weight(c));
        }
        if (!early_) return;
        for (std::size_t i = 0; i < n_models_; ++i) {
            const std::span<double> values(own_values(known), n_own_);
            for (std::size_t j = 0; j < n_own_; ++j) values[j] = own_feature(features, i, j);
            add_ratio(known, i, early_->ratios->of(known.group, i, values), false);
        }
    }

    void observe(const Known& known, std::size_t model,
                 std::span<const double> signals) const override {
        if (late_) add_ratio(known, model, late_->ratios->of(known.group, model, signals), true);
    }

    void estimate(const Known& known, const Models& ran, const Conditioned*, double* qualities,
                  double* costs, double* deviations) const override {
        const std::size_t k = n_models_;
        const std::size_t n_classes = classes_.size();
        std::copy_n(known.kept, k, costs);
        const double* chances = chances_of(known);
        const double* logs = log_weights(known);
        double* weights = class_weights(known);
        const double top = *std::max_element(logs, logs + n_classes);
        double total = 0.0;
        for (std::size_t c = 0; c < n_classes; ++c) {
            weights[c] = std::exp(logs[c] - top);
            total += weights[c];
        }
        for (std::size_t c = 0; c < n_classes; ++c) weights[c] /= total;

        const auto quality_seen = [&](std::size_t i, bool has_run) {
            const double ratio = std::exp(ratios_seen(known)[i]);
            double quality = 0.0;
            for (std::size_t c = 0; c < n_classes; ++c) {
                const double right = chances[c * k + i] * (ratio * shifted_odds(c, i, has_run));
                const double either = right + (1.0 - chances[c * k + i]);
                quality += weights[c] * (right / either);
            }
            return quality;
        };
        if (early_) {
            for (std::size_t i = 0; i < k; ++i) qualities[i] = quality_seen(i, false);
        } else {
            std::fill_n(qualities, k, 0.0);
            for (std::size_t c = 0; c < n_classes; ++c) {
                kernels::add_scaled(qualities, weights[c], chances + c * k, k);
            }
        }
        if (late_) {
            for (const std::size_t i : ran) qualities[i] = quality_seen(i, true);
        }
        for (std::size_t i = 0; i < k; ++i) deviations[i] = spread(known.group, i, qualities[i]);
        for (const std::size_t i : ran) deviations[i] = 0.0;
    }

private:
    double* log_weights(const Known& known) const { return known.kept + 2 * n_models_; }
    double* ratios_seen(const Known& known) const { return known.kept + n_models_; }
    double* class_weights(const Known& known) const { return log_weights(known) + classes_.size(); }
    double* own_values(const Known& known) const { return class_weights(known) + classes_.size(); }
    double* own_chances(const Known& known) const { return own_values(known) + n_own_; }

    const double* chances_of(const Known& known) const {
        if (!general_.empty()) return own_chances(known);
        return shared_chances_.data() + known.group * classes_.size() * n_models_;
    }

    LatentClasses take_classes(SavedState& saved, const std::string& name) const {
        if (saved.text(name) != "LatentClasses") {
            throw StateError("'" + name + "' must be LatentClasses");
        }
        return {saved, name, n_models_};
    }

    // What signals of a kind say: of own features, or of an answer.
    struct Source {
        std::unique_ptr<const LogRatios> ratios;
        SignalShifts shifts;
    };

    void take_sources(SavedState& saved, const std::string& ratios, const std::string& shifts) {
        const std::vector<std::string> kinds = saved.texts(ratios);
        const std::size_t due = (n_own_ > 0 ? 1U : 0U) + (n_signals_ > 0 ? 1U : 0U);
        if (kinds.size() != due || saved.texts(shifts) != std::vector<std::string>(due, kShifts)) {
            throw StateError(ratios + " and " + shifts +
                             " must be those of own features and of signals");
        }
        std::size_t number = 0;
        const auto take = [&](std::size_t n_values) {
            const std::string place = std::to_string(number);
            auto taken = take_log_ratios(saved, kinds[number++], ratios + "." + place, n_groups(),
                                         n_models_, n_values);
            SignalShifts moved(saved, shifts + "." + place, classes_.size(), n_models_);
            return Source{std::move(taken), std::move(moved)};
        };
        if (n_own_ > 0) early_ = take(n_own_);
        if (n_signals_ > 0) late_ = take(n_signals_);
    }

    // The chances of the nodes come one by one, and are summed up to each.
    void take_reveals(SavedState& saved, const std::string& name) {
        const std::optional<std::string> kind = saved.text_or_none(name);
        if (!kind) return;
        if (*kind != "RevealNodes") throw StateError("'" + name + "' must be RevealNodes");
        Size groups("g + 1", n_groups());
        Size models("k", n_models_);
        Size nodes("t");
        RevealTables tables;
        tables.right = saved.doubles(name + ".right", {&groups, &models, &nodes});
        tables.wrong = saved.doubles(name + ".wrong", {&groups, &models, &nodes});
        tables.n_groups = n_groups();
        tables.n_nodes = nodes.value();
        if (tables.n_nodes == 0) throw StateError("'" + name + "' must have nodes");
        make_spreads(tables);
        for (auto* chances : {&tables.right, &tables.wrong}) {
            for (std::size_t i = 0; i < chances->size(); ++i) {
                if (i % tables.n_nodes != 0) (*chances)[i] += (*chances)[i - 1];
            }
        }
        reveals_ = std::move(tables);
    }

    // The spread of the change for each belief of the grid, (groups, k, beliefs).
    void make_spreads(const RevealTables& tables) {
        const std::size_t n_nodes = tables.n_nodes;
        for (std::size_t cell = 0; cell < n_groups() * n_models_; ++cell) {
            for (std::size_t at = 0; at <= kGridIntervals; ++at) {
                const double p = static_cast<double>(at) / static_cast<double>(kGridIntervals);
                double variance = 0.0;
                for (std::size_t t = cell * n_nodes; t < (cell + 1) * n_nodes; ++t) {
                    const double right = p * tables.right[t];
                    const double chance = right + (1.0 - p) * tables.wrong[t];
                    const double change = right / std::max(chance, kSmallestChance) - p;
                    variance += chance * (change * change);
                }
                spreads_.push_back(std::sqrt(variance));
            }
        }
    }

    double spread(std::size_t group, std::size_t model, double belief) const {
        if (!reveals_) return 0.0;
        const double* grid = spreads_.data() + (group * n_models_ + model) * (kGridIntervals + 1);
        const double place = belief * static_cast<double>(kGridIntervals);
        std::size_t low = 0;
        if (place >= 0.0) {
            low =
                static_cast<std::size_t>(std::min(place, static_cast<double>(kGridIntervals - 1)));
        }
        const double part = place - static_cast<double>(low);
        return grid[low] + part * (grid[low + 1] - grid[low]);
    }

    void share_chances() {
        const std::size_t each = classes_.size() * n_models_;
        if (n_groups() > kMostChances / std::max<std::size_t>(each, 1)) {
            throw StateError("there are too many groups and classes");
        }
        shared_chances_.resize(n_groups() * each);
        for (std::size_t group = 0; group < n_groups(); ++group) {
            write_chances({}, group, shared_chances_.data() + group * each);
        }
    }

    // Uses the place of the chances for what is expected before.
    void write_chances(std::span<const double> features, std::size_t group, double* chances) const {
        const std::size_t k = n_models_;
        double* prior = chances + (classes_.size() - 1) * k;  // written last, model by model
        predict(mean_, group, features, general_, prior);
        for (std::size_t i = 0; i < k; ++i) {
            prior[i] = std::clamp(prior[i], kSmallestPrior, 1.0 - kSmallestPrior);
        }
        classes_.chances(prior, chances);
    }

    // What a class multiplies a model's odds by: for its own features, if any, and once it has run
    // for its signals.
    double shifted_odds(std::size_t which, std::size_t model, bool has_run) const {
        double odds = 1.0;
        if (early_) odds *= early_->shifts.odds(which, model);
        if (has_run && late_) odds *= late_->shifts.odds(which, model);
        return odds;
    }

    // Takes a log-ratio, of own features or of a run, into what is known of a model and the
    // classes.
    void add_ratio(const Known& known, std::size_t model, double ratio, bool of_run) const {
        const SignalShifts& shifts = of_run ? late_->shifts : early_->shifts;
        double& seen = ratios_seen(known)[model];
        const double before = std::exp(seen);
        seen += shifts.scaled(model, ratio);
        const double after = std::exp(seen);
        const double* chances = chances_of(known);
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            const double right = chances[c * n_models_ + model];
            const double odds_before = of_run ? before * shifted_odds(c, model, false) : 1.0;
            const double was = right * odds_before + (1.0 - right);
            const double is = right * (after * shifted_odds(c, model, of_run)) + (1.0 - right);
            log_weights(known)[c] +=
                std::log(is) - std::log(was) + shifts.log_density(c, model, ratio);
        }
    }

    GroupRidge mean_;
    LatentClasses classes_;
    std::optional<Source> early_, late_;  // of own features, of signals
    std::optional<RevealTables> reveals_;
    std::vector<double> spreads_;         // (groups, k, beliefs)
    std::vector<double> shared_chances_;  // (groups, classes, k), where features do not matter
};

}  // namespace

std::unique_ptr<const Estimator> take_binary_estimator(SavedState& saved) {
    return std::make_unique<Binary>(saved, "estimator");
}

}  // namespace headrace
