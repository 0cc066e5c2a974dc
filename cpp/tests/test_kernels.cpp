#include <vector>

#include "check.hpp"
#include "kernels.hpp"

int main() {
    using namespace headrace;

    CHECK_EQUAL(padded_length(1), 8U);
    CHECK_EQUAL(padded_length(8), 8U);
    CHECK_EQUAL(padded_length(9), 16U);

    // 1e16 swallows a 1 added to it, so the sum shows which numbers met first: lane 0 adds
    // 1e16 + 1 (lost), lane 1 adds 1 + 1, lane 2 takes 1e16 away again.
    std::vector<double> values(16, 0.0);
    values[0] = 1e16;
    values[8] = 1.0;
    values[1] = 1.0;
    values[9] = 1.0;
    values[2] = -1e16;
    // ((l0 + l1) + (l2 + l3)) = (1e16 + 2) - 1e16 = 2
    CHECK_EQUAL(kernels::sum(values.data(), 16), 2.0);

    const std::vector<double> x = {3.0, 1.0, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0};
    std::vector<double> level = {1.0, 1.0, 2.5, -2.0, 0.0, 0.0, 0.0, 0.0};
    CHECK_EQUAL(kernels::excess(x.data(), level.data(), 8), 3.0);

    std::vector<double> count(8, 0.0);
    kernels::count_above(count.data(), x.data(), level.data(), 8);
    CHECK(count == (std::vector<double>{1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0}));

    std::vector<double> higher = level;
    kernels::raise(higher.data(), x.data(), 8);
    CHECK(higher == (std::vector<double>{3.0, 1.0, 2.5, -1.0, 0.0, 0.0, 0.0, 0.0}));
    kernels::lower(level.data(), x.data(), 8);
    CHECK(level == (std::vector<double>{1.0, 1.0, 2.0, -2.0, 0.0, 0.0, 0.0, 0.0}));

    // Two roundings: a fused multiply-add would keep 2^-60.
    const double z = 1.0 + 0x1p-30;
    double draw = 0.0;
    kernels::draw(&draw, -(1.0 + 0x1p-29), z, &z, 1);
    CHECK_EQUAL(draw, 0.0);
    double sum = -(1.0 + 0x1p-29);
    kernels::add_scaled(&sum, z, &z, 1);
    CHECK_EQUAL(sum, 0.0);
    return check::report();
}
