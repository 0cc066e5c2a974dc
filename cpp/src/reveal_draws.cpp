#include "reveal_draws.hpp"

#include <algorithm>
#include <numeric>

namespace headrace {

namespace {

// The end of each of S parts of equal chance, as a share of all cases.
class Shares {
public:
    explicit Shares(std::size_t count)
        : count_(count), whole_(static_cast<double>(count)), part_(1.0 / whole_) {}

    double operator[](std::size_t which) const {
        const auto number = static_cast<double>(which + 1);
        return is_power_of_two_ ? number * part_ : number / whole_;  // which are the same, if so
    }

    // How many of them do not exceed a chance.
    std::size_t up_to(double chance) const {
        std::size_t n = 0;
        if (chance > 0.0) n = static_cast<std::size_t>(std::min(chance * whole_, whole_));
        while (n < count_ && (*this)[n] <= chance) ++n;
        while (n > 0 && (*this)[n - 1] > chance) --n;
        return n;
    }

private:
    std::size_t count_;
    double whole_;
    double part_;
    bool is_power_of_two_ = (count_ & (count_ - 1)) == 0;
};

}  // namespace

bool are_chances(const double* chances, std::size_t n_rows, std::size_t n_nodes) {
    for (std::size_t row = 0; row < n_rows; ++row) {
        double last = 0.0;
        for (std::size_t t = 0; t < n_nodes; ++t) {
            const double chance = chances[row * n_nodes + t];
            if (!(chance >= last - kChanceRounding && chance <= 1.0 + kChanceRounding))
                return false;
            last = chance;
        }
        if (last < 1.0 - kChanceRounding) return false;
    }
    return true;
}

std::vector<std::uint32_t> falling_order(const double* samples, std::size_t k,
                                         std::size_t n_samples) {
    std::vector<std::uint32_t> falling(k * n_samples);
    for (std::size_t i = 0; i < k; ++i) {
        const double* own = samples + i * n_samples;
        const auto begin = falling.begin() + static_cast<std::ptrdiff_t>(i * n_samples);
        const auto end = begin + static_cast<std::ptrdiff_t>(n_samples);
        std::iota(begin, end, 0U);
        std::stable_sort(begin, end,
                         [own](std::uint32_t a, std::uint32_t b) { return own[a] > own[b]; });
    }
    return falling;
}

void draw_changes(const Problem& problem, std::size_t row, const std::uint32_t* falling,
                  double* changes) {
    const Reveals& reveals = problem.reveals;
    const std::size_t n_samples = problem.n_samples;
    const auto count = static_cast<double>(n_samples);
    const Shares shares(n_samples);
    const bool* ran = problem.ran ? problem.ran[row] : nullptr;
    for (std::size_t i = 0; i < problem.n_models; ++i) {
        double* own = changes + i * n_samples;
        if (ran != nullptr && ran[i]) {
            std::fill_n(own, n_samples, 0.0);
            continue;
        }
        const double* right = reveals.right + first_node(problem, row, i);
        const double* wrong = reveals.wrong + first_node(problem, row, i);
        const double belief = problem.qualities[row][i];

        // The belief after the run times its chance, summed over the most telling share of cases,
        // is a line along each node.
        double gained_before = 0.0;
        std::size_t s = 0;
        const auto draw = [&](double gained) {
            const double after = count * (gained - gained_before);
            own[falling[i * n_samples + s]] = reveals.scale * (after - belief);
            gained_before = gained;
        };
        double gain_before = 0.0;
        double chance_before = 0.0;
        for (std::size_t t = 0; t < reveals.n_nodes; ++t) {
            const double gain = belief * right[t];
            const double chance = gain + (1.0 - belief) * wrong[t];
            const std::size_t end = shares.up_to(chance);
            const double slope = (gain - gain_before) / (chance - chance_before);
            for (; s < end; ++s) draw(gain_before + (shares[s] - chance_before) * slope);
            gain_before = gain;
            chance_before = chance;
        }
        for (; s < n_samples; ++s) draw(gain_before);  // what rounding has left
    }
}

}  // namespace headrace
