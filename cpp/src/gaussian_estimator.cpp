// One jointly Gaussian model of all qualities and all signals: an estimate is a conditional mean
// given the evidence seen.
//
// Evidence comes in blocks of one piece for each model: blocks that are known from the start (the
// model's own features), then those that a run brings. Piece b k + i is that of model i in block b.
#include <algorithm>
#include <cmath>
#include <optional>

#include "calibration.hpp"
#include "estimator_base.hpp"
#include "kernels.hpp"

namespace headrace {

namespace {

constexpr double kSmallestVariance = 1e-9;  // least share of evidence's variance that is noise
constexpr double kWorthTelling = 1e-5;      // share of its variance that evidence must have left

using Pieces = std::vector<std::size_t>;

class Gaussian final : public EstimatorBase {
public:
    explicit Gaussian(SavedState& saved, const std::string& name)
        : EstimatorBase(saved, name),
          mean_(take_ridge(saved, name + ".mean_")),
          n_early_(saved.count(name + ".n_early_")),
          n_blocks_(saved.count(name + ".n_blocks_")) {
        if (saved.parameter(name + ".regressor").get_if<std::nullptr_t>() == nullptr) {
            throw StateError("a regressor of another library cannot be read");
        }
        saved.drop_parameter(name + ".shrinkage");
        saved.drop_parameter(name + ".calibration");
        take_calibration(saved, name + ".calibration_");
        take_evidence(saved, name);
    }

    Uncertainty uncertainty() const override { return Uncertainty::kCovariance; }

    // Means and costs; then of each piece of evidence what is expected of it, until it is seen:
    // then by how much it surprised.
    std::size_t n_kept() const override { return (2 + n_blocks_) * n_models_; }

    void start(std::span<const double> features, const Known& known) const override {
        const std::size_t k = n_models_;
        double* mean = known.kept;
        predict(mean_, known.group, features, general_, mean);
        predict_costs(features, known.group, known.kept + k);
        double* evidence = known.kept + 2 * k;
        for (std::size_t block = 0; block < n_blocks_; ++block, evidence += k) {
            predict(noise_means_[block], known.group, features, general_, evidence);
            for (std::size_t i = 0; i < k; ++i) evidence[i] += slopes_[block][i] * mean[i];
            if (block >= n_early_) continue;
            for (std::size_t i = 0; i < k; ++i) {
                evidence[i] = own_feature(features, i, block) - evidence[i];
            }
        }
    }

    void observe(const Known& known, std::size_t model,
                 std::span<const double> signals) const override {
        double* evidence = known.kept + (2 + n_early_) * n_models_ + model;
        for (std::size_t block = 0; block + n_early_ < n_blocks_; ++block) {
            const double seen =
                calibration_ ? calibration_->predict(known.group, model, signals) : signals[block];
            double& piece = evidence[block * n_models_];
            piece = seen - piece;
        }
    }

    Conditioned condition(const Models& ran) const override {
        const std::size_t k = n_models_;
        const Pieces seen = seen_pieces(ran);
        const Matrix precision = precision_of(evidence_covariance(seen, seen), seen);
        Conditioned found;
        found.gains = product(precision, rows_of(seen, 0, k)).values;
        found.covariance = change(ran, seen, precision);
        for (std::size_t i = 0; i < k; ++i) {
            found.deviations.push_back(std::sqrt(found.covariance[i][i]));
        }
        return found;
    }

    void estimate(const Known& known, const Models& ran, const Conditioned* conditioned,
                  double* qualities, double* costs, double* deviations) const override {
        const std::size_t k = n_models_;
        std::copy_n(known.kept, k, qualities);
        std::copy_n(known.kept + k, k, costs);
        std::copy_n(conditioned->deviations.data(), k, deviations);
        const double* gains = conditioned->gains.data();
        const double* surprise = known.kept + 2 * k;
        for (std::size_t piece = 0; piece < n_early_ * k; ++piece, gains += k) {
            kernels::add_scaled(qualities, surprise[piece], gains, k);
        }
        for (std::size_t block = n_early_; block < n_blocks_; ++block) {
            for (const std::size_t i : ran) {
                kernels::add_scaled(qualities, surprise[block * k + i], gains, k);
                gains += k;
            }
        }
    }

private:
    void take_calibration(SavedState& saved, const std::string& name) {
        const std::optional<std::string> kind = saved.text_or_none(name);
        if (!kind) return;
        if (*kind != "Calibration") throw StateError("'" + name + "' must be Calibration");
        Size groups("g + 1", n_groups());
        Size models("k", n_models_);
        Size signals("signals", n_signals_);
        calibration_.emplace(saved, name, groups, models, signals);
    }

    void take_evidence(SavedState& saved, const std::string& name) {
        const std::size_t k = n_models_;
        const std::size_t n_late = calibration_ && n_signals_ > 0 ? 1 : n_signals_;
        const std::vector<std::string> kinds = saved.texts(name + ".noise_means_");
        if (n_early_ != n_own_ || n_blocks_ < n_early_ || n_blocks_ - n_early_ != n_late ||
            kinds.size() != n_blocks_) {
            throw StateError("the blocks of evidence must be those of own features and signals");
        }
        for (std::size_t block = 0; block < n_blocks_; ++block) {
            if (kinds[block] != "GroupRidge") throw StateError("noise must be of GroupRidge");
            noise_means_.push_back(
                take_general_ridge(saved, name + ".noise_means_." + std::to_string(block)));
        }
        Size models("k", k);
        Size blocks("blocks", n_blocks_);
        Size evidence("evidence", n_blocks_ * k);
        Size all("p", (1 + n_blocks_) * k);
        Size two("2", 2);
        slopes_ = {n_blocks_, k, saved.doubles(name + ".slopes_", {&blocks, &models})};
        covariance_ = {all.value(), all.value(),
                       saved.doubles(name + ".covariance_", {&all, &all})};
        saved.doubles(name + ".shrinkage_", {&two});
        variances_ = saved.doubles(name + ".evidence_variances_", {&evidence});
        alive_ = saved.truths(name + ".alive_", {&evidence});
    }

    // Known when these models have run.
    Pieces seen_pieces(const Models& ran) const {
        Pieces seen(n_early_ * n_models_);
        for (std::size_t piece = 0; piece < seen.size(); ++piece) seen[piece] = piece;
        for (std::size_t block = n_early_; block < n_blocks_; ++block) {
            for (const std::size_t i : ran) seen.push_back(block * n_models_ + i);
        }
        return seen;
    }

    // Columns begin to end of the covariance, of these pieces.
    Matrix rows_of(const Pieces& pieces, std::size_t begin, std::size_t end) const {
        Matrix rows(pieces.size(), end - begin);
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const double* row = covariance_[n_models_ + pieces[i]];
            std::copy(row + begin, row + end, rows[i]);
        }
        return rows;
    }

    Matrix evidence_covariance(const Pieces& rows, const Pieces& columns) const {
        Matrix found(rows.size(), columns.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            for (std::size_t j = 0; j < columns.size(); ++j) {
                found[i][j] = covariance_[n_models_ + rows[i]][n_models_ + columns[j]];
            }
        }
        return found;
    }

    // Inverse of the covariance of evidence; evidence without variance tells nothing.
    Matrix precision_of(Matrix matrix, const Pieces& pieces) const {
        const std::size_t n = pieces.size();
        std::vector<double> scale(n, 1.0);
        for (std::size_t i = 0; i < n; ++i) {
            if (alive(pieces[i])) scale[i] = std::sqrt(variances_[pieces[i]]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                const bool tells = alive(pieces[i]) && alive(pieces[j]);
                matrix[i][j] = tells ? matrix[i][j] / (scale[i] * scale[j]) : 0.0;
            }
            matrix[i][i] = alive(pieces[i]) ? matrix[i][i] + kSmallestVariance : 1.0;
        }
        invert(matrix);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                const bool tells = alive(pieces[i]) && alive(pieces[j]);
                const double both = matrix[i][j] + matrix[j][i];
                matrix[i][j] = matrix[j][i] = tells ? 0.5 * both / (scale[i] * scale[j]) : 0.0;
            }
        }
        return matrix;
    }

    bool alive(std::size_t piece) const { return alive_[piece] != 0; }

    // The covariance of the changes that running each model by itself will bring.
    Matrix change(const Models& ran, const Pieces& seen, const Matrix& precision) const {
        const std::size_t k = n_models_;
        const std::size_t n_late = n_blocks_ - n_early_;
        Models open;
        for (std::size_t i = 0; i < k; ++i) {
            if (!std::binary_search(ran.begin(), ran.end(), i)) open.push_back(i);
        }
        Matrix found(k, k);
        if (n_late == 0 || open.empty()) return found;

        Pieces late;  // block by block
        for (std::size_t block = n_early_; block < n_blocks_; ++block) {
            for (const std::size_t i : open) late.push_back(block * k + i);
        }
        const Matrix across = evidence_covariance(seen, late);
        const Matrix explained = product(precision, across);
        Matrix evidence = evidence_covariance(late, late);
        std::vector<double> weights(seen.size());
        for (std::size_t i = 0; i < late.size(); ++i) {
            for (std::size_t s = 0; s < seen.size(); ++s) weights[s] = -across[s][i];
            kernels::add_rows(evidence[i], weights.data(), explained[0], seen.size(), late.size(),
                              late.size());
        }
        const std::size_t n_open = open.size();
        Matrix gains(n_late, n_open);
        for (std::size_t place = 0; place < n_open; ++place) {
            own_gains(open[place], place, late, seen, explained, evidence, gains);
        }

        // Both sides weighted by the gains and summed over the blocks.
        Matrix half(n_open, late.size());
        for (std::size_t block = 0; block < n_late; ++block) {
            for (std::size_t a = 0; a < n_open; ++a) {
                kernels::add_scaled(half[a], gains[block][a], evidence[block * n_open + a],
                                    late.size());
            }
        }
        Matrix both(n_open, n_open);
        for (std::size_t a = 0; a < n_open; ++a) {
            for (std::size_t block = 0; block < n_late; ++block) {
                for (std::size_t b = 0; b < n_open; ++b) {
                    both[a][b] += half[a][block * n_open + b] * gains[block][b];
                }
            }
        }
        for (std::size_t a = 0; a < n_open; ++a) {
            for (std::size_t b = 0; b < n_open; ++b) {
                found[open[a]][open[b]] = 0.5 * (both[a][b] + both[b][a]);
            }
        }
        return found;
    }

    // What the pieces of a model's own run add to its own estimate: column `place` of the gains.
    void own_gains(std::size_t model, std::size_t place, const Pieces& late, const Pieces& seen,
                   const Matrix& explained, const Matrix& evidence, Matrix& gains) const {
        const std::size_t n_open = gains.n_columns;
        Pieces own, places;
        std::vector<double> cross;
        for (std::size_t block = 0; block < gains.n_rows; ++block) {
            const std::size_t at = block * n_open + place;
            if (!(evidence[at][at] > kWorthTelling * variances_[late[at]])) continue;
            own.push_back(late[at]);
            places.push_back(at);
            double covariance = covariance_[model][n_models_ + late[at]];
            for (std::size_t s = 0; s < seen.size(); ++s) {
                covariance -= covariance_[model][n_models_ + seen[s]] * explained[s][at];
            }
            cross.push_back(covariance);
        }
        Matrix left(own.size(), own.size());
        for (std::size_t i = 0; i < own.size(); ++i) {
            for (std::size_t j = 0; j < own.size(); ++j)
                left[i][j] = evidence[places[i]][places[j]];
        }
        const Matrix inverse = precision_of(std::move(left), own);
        for (std::size_t j = 0; j < own.size(); ++j) {
            double gain = 0.0;
            for (std::size_t i = 0; i < own.size(); ++i) gain += cross[i] * inverse[i][j];
            gains[places[j] / n_open][place] = gain;
        }
    }

    GroupRidge mean_;
    std::size_t n_early_;
    std::size_t n_blocks_;
    std::optional<Calibration> calibration_;
    std::vector<GroupRidge> noise_means_;  // of each block
    Matrix slopes_;                        // (blocks, k) of evidence in quality
    Matrix covariance_;                    // of the qualities, then the pieces
    std::vector<double> variances_;        // of the pieces
    std::vector<std::uint8_t> alive_;      // pieces that tell something
};

}  // namespace

std::unique_ptr<const Estimator> take_gaussian_estimator(SavedState& saved) {
    return std::make_unique<Gaussian>(saved, "estimator");
}

}  // namespace headrace
