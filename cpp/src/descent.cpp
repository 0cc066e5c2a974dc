#include "descent.hpp"

#include <limits>

#include "kernels.hpp"

namespace headrace {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kPatience = 4;            // steps without progress before they are halved
constexpr double kProgress = 0.01;      // share of the gap that counts as progress
constexpr double kLongestStep = 1.4;    // of Polyak's
constexpr double kShortestStep = 0.07;  // shorter ones are not worth it
constexpr double kDeflection = 0.7;

}  // namespace

void Descent::start(std::size_t length) {
    slope_.resize(length);
    direction_.assign(length, 0.0);
    norm_ = 0.0;
    stride_ = kLongestStep;
    forget();
}

void Descent::forget() {
    lowest_ = kInfinity;
    stale_ = 0;
}

bool Descent::note(double bound, double target) {
    bound_ = bound;
    stale_ = lowest_ - bound > kProgress * (lowest_ - target) ? 0 : stale_ + 1;
    if (!(bound < lowest_)) return false;
    lowest_ = bound;
    best_slope_ = slope_;
    return true;
}

bool Descent::move(Doubles& level, const Doubles& best, const Doubles& floor, const Doubles& top,
                   double target, std::size_t n_samples) {
    const std::size_t length = level.size();
    if (stale_ >= kPatience) {
        stride_ *= 0.5;
        if (stride_ < kShortestStep) return false;
        stale_ = 0;
        level = best;
        slope_ = best_slope_;
        bound_ = lowest_;
        norm_ = 0.0;
    }
    kernels::clip_slope(slope_.data(), level.data(), floor.data(), top.data(), length);
    const double along = kernels::dot(slope_.data(), direction_.data(), length);
    const double turn = norm_ > 0.0 && along < 0.0 ? -kDeflection * along / norm_ : 0.0;
    norm_ = kernels::deflect(direction_.data(), slope_.data(), turn, length);
    if (norm_ == 0.0) return false;
    const double step = stride_ * (bound_ - target) * static_cast<double>(n_samples) / norm_;
    kernels::move_level(level.data(), direction_.data(), step, floor.data(), top.data(), length);
    return true;
}

}  // namespace headrace
