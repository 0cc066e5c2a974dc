#include <cmath>
#include <limits>

#include "check.hpp"
#include "reservation.hpp"

using namespace headrace;

namespace {

bool close(double a, double b, double relative) {
    return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

// h(t) = exp(-t^2 / 2) / sqrt(2 pi) - t erfc(t / sqrt(2)) / 2 and its inverse in 60-digit
// arithmetic.
struct Pair {
    double in;
    double out;
};
constexpr Pair kExcess[] = {
    {-8.0, 8.0000000000000000755},      {-1.0, 1.0833154705876862984},
    {0.0, 0.39894228040143267794},      {0.5, 0.19779655740130602959},
    {1.0, 0.083315470587686298383},     {3.0, 0.00038215431704772359565},
    {8.0, 7.5502624119464989137e-17},   {20.0, 1.3700124947295799431e-90},
    {35.0, 3.2088044826024767636e-270},
};
constexpr Pair kInverse[] = {
    {1e-300, 36.949568054037772901}, {1e-100, 21.12967328021651569},
    {1e-12, 6.757159460425328862},   {1e-3, 2.717805515231757156},
    {0.1, 0.90234634751003452137},   {1.0, -0.89947156125374354962},
    {5.0, -4.9999999465383293368},   {40.0, -40.0},
};

}  // namespace

int main() {
    // The two terms of h cancel to a part in t^2, and exp loses t^2 / 2 units in the last place.
    const auto tolerance = [](double t) { return 1e-15 * (10.0 + t * t * t * t); };
    for (const Pair& pair : kExcess) {
        CHECK(close(standard_excess(pair.in), pair.out, tolerance(pair.in)));
    }
    for (const Pair& pair : kInverse) {
        CHECK(close(inverse_standard_excess(pair.in), pair.out, 5e-13));
    }
    CHECK(std::abs(inverse_standard_excess(0.3989) - 0.000084563655706335346983) < 1e-15);
    for (double u = 1e-299; u <= 40.0; u *= 1.7) {
        const double t = inverse_standard_excess(u);
        CHECK(close(standard_excess(t), u, tolerance(t)));
    }

    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    CHECK_EQUAL(reservation_value(0.7, 0.0, 0.2), 0.7 - 0.2);
    CHECK_EQUAL(reservation_value(0.7, 0.1, 0.0), kInfinity);
    CHECK(close(reservation_value(0.7, 0.1, 0.1), 0.7 - 0.1 * 0.89947156125374354962, 1e-14));
    // The smallest uncertainty there is neither overflows nor matters.
    CHECK_EQUAL(reservation_value(0.7, 5e-324, 0.2), 0.7 - 0.2);
    CHECK(reservation_value(0.7, 0.1, 5e-324) > 0.7 + 3.6);

    CHECK_EQUAL(expected_excess(0.7, 0.0, 0.5), 0.7 - 0.5);
    CHECK_EQUAL(expected_excess(0.5, 0.0, 0.7), 0.0);
    CHECK(close(expected_excess(0.5, 0.1, 0.5), 0.039894228040143267794, 1e-14));
    CHECK_EQUAL(expected_excess(0.5, 5e-324, 0.25), 0.25);
    CHECK_EQUAL(expected_excess(0.25, 5e-324, 0.5), 0.0);
    CHECK_EQUAL(expected_excess(0.25, 0.1, -kInfinity), kInfinity);

    // By definition, what a look is expected to gain over the reservation value is its price.
    for (const double sigma : {1e-3, 0.1, 1.0, 30.0}) {
        for (const double ratio : {1e-5, 1e-3, 0.1, 0.4, 1.0, 10.0}) {
            const double value = reservation_value(0.7, sigma, ratio * sigma);
            CHECK(close(expected_excess(0.7, sigma, value), ratio * sigma, 1e-10));
            CHECK(close(reservation_value(5.6, 8.0 * sigma, ratio * (8.0 * sigma)), 8.0 * value,
                        1e-13));
        }
    }
    return check::report();
}
