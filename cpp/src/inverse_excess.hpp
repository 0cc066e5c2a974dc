// A first approximation of the inverse of h(t) = phi(t) - t (1 - Phi(t)): h(t) = u at about
//
//     t = -u + r(w),   w = sqrt(2 (1.6 - log u)),
//
// r being the quotient of these polynomials in w. Off by 5e-4 (1 + min(u, 4)) at the most for u
// from 1e-300, and that for all u from 4, where r counts as that of 4. Fitted by weighted least
// squares (tests/test_reservation.py checks it).
#pragma once

namespace headrace {

constexpr double kSmallestRatio = 1e-300;  // h underflows for ratios far below it

constexpr double kStartShift = 1.6;
constexpr double kStartLargest = 4.0;
constexpr double kStartAbove[] = {-0.0761170, 0.2368859,   -0.2556167,
                                  0.1277907,  -0.04738355, 0.015621035};
constexpr double kStartBelow[] = {1.0, -0.5643936, 0.2255192, -0.04529655, 0.015602413};

// Twice the error, and that of a logarithm with it.
constexpr double kStartMargin = 1e-3;

// log(1 + y) for 0 <= y < 1 without its constant term, off by 7.1e-5 at the most.
constexpr double kStartLog[] = {0.9974489, -0.4713013, 0.2256857, -0.0587572};

}  // namespace headrace
