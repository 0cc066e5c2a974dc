// A first approximation of the inverse of h(t) = phi(t) - t (1 - Phi(t)): h(t) = u at about
//
//     t = -u + r(w),   w = sqrt(2 (1.4 - log min(u, 4))),
//
// r being the quotient of these polynomials in w: off by 1.01e-3 at the most for u from 1e-300.
// Fitted by weighted least squares; cpp/tests/test_kernels.cpp checks what is made of it.
#pragma once

namespace headrace {

constexpr double kSmallestRatio = 1e-300;  // u below it counts as it: h underflows

constexpr double kStartShift = 1.4;
constexpr double kStartLargest = 4.0;
constexpr double kStartAbove[] = {-0.002648254, 0.011913044,  -0.010051569,
                                  0.007669456,  -0.024409731, 0.018674697};
constexpr double kStartBelow[] = {1.0, -0.40147757, 0.14626452, -0.02285747, 0.01866581};

// log(1 + y) for 0 <= y < 1 in powers of y from the first, off by 7.1e-5 at the most.
constexpr double kStartLog[] = {0.9974489, -0.4713013, 0.2256857, -0.0587572};

// About twice the error of all this, in floats and with that logarithm.
constexpr double kStartMargin = 2e-3;

}  // namespace headrace
