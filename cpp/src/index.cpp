// Index policy: run the highest reservation value until the best revealed quality exceeds them all.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "aligned.hpp"
#include "kernels.hpp"
#include "registry.hpp"
#include "reservation.hpp"
#include "values.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every reservation value is screened by an approximation; the few that may be the highest or tie
// with it are computed.
class Index final : public Streamer {
public:
    Index(const Problem& problem, const Selection& selection)
        : problem_(problem),
          selection_(selection),
          certain_(problem.sigmas ? 0 : problem.n_models),
          open_(problem.ran ? problem.n_models : 0),
          highest_(padded_models(problem.n_models)) {}

    void decide_rows(std::size_t begin, std::size_t end) override {
        for (std::size_t row = begin; row < end; ++row) {
            check_row_values(problem_, row);
            decide(row);
        }
    }

private:
    struct Option {
        OneMore choice;
        double value;
    };

    void decide(std::size_t row) {
        const std::size_t k = problem_.n_models;
        const double* quality = problem_.qualities[row];
        const double* cost = problem_.costs[row];
        const double* sigma = problem_.sigmas ? problem_.sigmas[row] : certain_.data();
        const double lambda = *problem_.lambda[row];

        options_.clear();
        double revealed = -kInfinity;
        if (problem_.ran) revealed = close(row);
        const bool may_stop = revealed > -kInfinity;
        if (may_stop) options_.push_back({{OneMore::kStop, revealed, 0.0}, revealed});

        const double* screened = problem_.ran ? open_.data() : quality;
        const double reached =
            std::max(revealed, kernels::screen(screened, cost, sigma, lambda, k, highest_.data()));
        const double level = reached == kInfinity
                                 ? reached
                                 : reached - kScreenSlack * std::abs(reached) - 2.0 * kTieTolerance;
        double rounding = 0.0;
        for (std::size_t i = 0;; ++i) {
            i = kernels::first_at_least(highest_.data(), i, k, level);
            if (i >= k) break;
            const double price = lambda * cost[i];
            const double value = reservation_value(quality[i], sigma[i], price);
            options_.push_back({{i, quality[i], cost[i]}, value});
            rounding = std::max(rounding, std::abs(quality[i]) + price + kReach * sigma[i]);
        }

        double best = -kInfinity;
        for (const Option& option : options_) best = std::max(best, option.value);
        const Option* chosen = nullptr;
        for (const Option& option : options_) {
            if (!(option.value >= best - kTieTolerance)) continue;
            if (chosen == nullptr || option.choice.wins_over(chosen->choice, problem_.ties)) {
                chosen = &option;
            }
        }
        OneMore choice = chosen->choice;
        if (may_stop && choice.model != OneMore::kStop) {
            choice.quality =
                revealed + expected_excess(choice.quality, sigma[choice.model], revealed);
        }
        write(choice, problem_, row, best + kRounding * rounding, selection_);
    }

    // Copies the qualities of the models that may run; returns the best of those that have.
    double close(std::size_t row) {
        const bool* ran = problem_.ran[row];
        const double* quality = problem_.qualities[row];
        double revealed = -kInfinity;
        std::size_t first = 0;  // that may run in a fixed order
        for (std::size_t i = 0; i < open_.size(); ++i) {
            open_[i] = ran[i] ? kernels::kClosed : quality[i];
            if (!ran[i]) continue;
            revealed = std::max(revealed, quality[i]);
            first = i;
        }
        if (problem_.fixed_order) std::fill_n(open_.begin(), first, kernels::kClosed);
        return revealed;
    }

    static constexpr double kScreenSlack = 1e-12;  // far above the rounding of either side
    static constexpr double kReach = 40.0;         // no reservation value is more sigmas away
    static constexpr double kRounding = 1e-14;     // of a reservation value, relative to its parts

    const Problem& problem_;
    const Selection& selection_;
    const std::vector<double> certain_;  // standard deviations where none are given
    std::vector<double> open_;           // qualities of the models that may run, where some have
    Doubles highest_;                    // that the reservation values can be
    std::vector<Option> options_;
};

}  // namespace

std::unique_ptr<Streamer> make_index(const Problem& problem, const Selection& selection) {
    if (problem.reveals) return make_reveal_index(problem, selection);
    return std::make_unique<Index>(problem, selection);
}

}  // namespace headrace
