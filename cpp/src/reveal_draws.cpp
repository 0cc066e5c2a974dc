#include "reveal_draws.hpp"

#include <algorithm>
#include <numeric>

namespace headrace {

namespace {

// The chance of nodes, and what a right answer adds to it, summed up along the nodes.
class Parts {
public:
    Parts(const double* right, const double* wrong, std::size_t n_nodes, double belief)
        : right_(right), wrong_(wrong), n_nodes_(n_nodes), belief_(belief) {
        reach();
    }

    // Expected of the belief after the run, times the chance, in the most telling share of cases.
    // Shares do not fall from call to call.
    double gained(double share) {
        while (chance_ < share && node_ + 1 < n_nodes_) {
            chance_before_ = chance_;
            gain_before_ = gain_;
            ++node_;
            reach();
        }
        return chance_ < share ? gain_ : gain_before_ + (share - chance_before_) * slope_;
    }

private:
    void reach() {
        gain_ = belief_ * right_[node_];
        chance_ = gain_ + (1.0 - belief_) * wrong_[node_];
        slope_ = (gain_ - gain_before_) / (chance_ - chance_before_);
    }

    const double* right_;
    const double* wrong_;
    std::size_t n_nodes_;
    double belief_;
    std::size_t node_ = 0;
    double chance_ = 0.0;
    double gain_ = 0.0;
    double chance_before_ = 0.0;
    double gain_before_ = 0.0;
    double slope_ = 0.0;
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
    const bool* ran = problem.ran ? problem.ran[row] : nullptr;
    for (std::size_t i = 0; i < problem.n_models; ++i) {
        double* own = changes + i * n_samples;
        if (ran != nullptr && ran[i]) {
            std::fill_n(own, n_samples, 0.0);
            continue;
        }
        const std::size_t first = first_node(problem, row, i);
        const double belief = problem.qualities[row][i];
        Parts parts(reveals.right + first, reveals.wrong + first, reveals.n_nodes, belief);
        double before = 0.0;
        for (std::size_t s = 0; s < n_samples; ++s) {
            const double gained = parts.gained(static_cast<double>(s + 1) / count);
            const double after = count * (gained - before);
            own[falling[i * n_samples + s]] = reveals.scale * (after - belief);
            before = gained;
        }
    }
}

}  // namespace headrace
