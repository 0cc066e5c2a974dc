// How levels move so that their bound falls: subgradient steps of Polyak's length (1969), deflected
// from the step before (Camerini, Fratta and Maffioli, 1975).
#pragma once

#include <cstddef>

#include "aligned.hpp"

namespace headrace {

class Descent {
public:
    // Starts anew with levels of this padded length.
    void start(std::size_t length);

    // Forgets the bounds so far, but neither the direction nor the length of the steps.
    void forget();

    // The number of counted models above each level, less one: minus a subgradient. To be filled in
    // before note().
    Doubles& slope() { return slope_; }

    // Takes note of the bound of the levels that slope() belongs to; `target` is what it cannot
    // fall below. Returns whether it is the lowest yet.
    bool note(double bound, double target);

    // Moves the levels; `best` are those of the lowest bound, where shorter steps start again when
    // progress stalls. False where nothing leads on.
    bool move(Doubles& level, const Doubles& best, const Doubles& floor, const Doubles& top,
              double target, std::size_t n_samples);

private:
    Doubles slope_, best_slope_, direction_;
    double bound_ = 0.0;
    double lowest_ = 0.0;
    double norm_ = 0.0;    // of the direction, squared; 0: there is none yet
    double stride_ = 0.0;  // in Polyak's lengths
    int stale_ = 0;
};

}  // namespace headrace
