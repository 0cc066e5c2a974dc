// Every available instruction set, against literals and against the baseline.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "instruction_sets.hpp"
#include "inverse_excess.hpp"
#include "reservation.hpp"

namespace {

using namespace headrace;
using kernels::Kernels;

void literals(const Kernels& kernels) {
    // 1e16 swallows a 1 added to it, so the sum shows which numbers met first: lane 0 adds
    // 1e16 + 1 (lost), lane 1 adds 1 + 1, lane 2 takes 1e16 away again.
    std::vector<double> values(16, 0.0);
    values[0] = 1e16;
    values[8] = 1.0;
    values[1] = 1.0;
    values[9] = 1.0;
    values[2] = -1e16;
    // ((l0 + l1) + (l2 + l3)) = (1e16 + 2) - 1e16 = 2
    CHECK_EQUAL(kernels.sum(values.data(), 16), 2.0);

    const std::vector<double> x = {3.0, 1.0, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0};
    std::vector<double> level = {1.0, 1.0, 2.5, -2.0, 0.0, 0.0, 0.0, 0.0};
    const std::uint32_t only[] = {0};
    double excess = -1.0;
    kernels.excess(x.data(), 8, only, 1, level.data(), 8, &excess);
    CHECK_EQUAL(excess, 3.0);

    std::vector<double> count(8, 0.0);
    kernels.count_above(count.data(), x.data(), level.data(), 8);
    CHECK(count == (std::vector<double>{1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0}));

    std::vector<double> higher = level;
    kernels.raise(higher.data(), x.data(), 8);
    CHECK(higher == (std::vector<double>{3.0, 1.0, 2.5, -1.0, 0.0, 0.0, 0.0, 0.0}));
    std::vector<double> raised(8, -1.0);
    CHECK_EQUAL(kernels.raise_into(raised.data(), level.data(), x.data(), 8), 5.5);
    CHECK(raised == higher);
    kernels.lower(level.data(), x.data(), 8);
    CHECK(level == (std::vector<double>{1.0, 1.0, 2.0, -2.0, 0.0, 0.0, 0.0, 0.0}));

    const std::vector<double> holder = {1.0, 2.0, 1.0, 0.0, 2.0, 2.0, 0.0, 1.0};
    const std::vector<double> held = {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0};
    CHECK_EQUAL(kernels.sum_owned(held.data(), holder.data(), 2.0, 8), 50.0);

    const std::vector<double> negative = {-1.0, -2.0, -7.0, 2.0, 1.0, 0.0, 3.0, -4.0, 5.0, -8.0};
    const auto summary_is = [&](std::size_t length, double sum, double squares, double largest) {
        const kernels::Summary found = kernels.summarise(negative.data(), length);
        CHECK_EQUAL(found.sum, sum);
        CHECK_EQUAL(found.squares, squares);
        CHECK_EQUAL(found.largest, largest);
    };
    summary_is(0, 0.0, 0.0, 0.0);
    summary_is(3, -10.0, 54.0, 7.0);
    summary_is(8, -8.0, 84.0, 7.0);
    summary_is(10, -11.0, 173.0, 8.0);

    const std::vector<double> first = {3.0, 2.0, 5.0, 1.0, 4.0, 2.5, 3.0, 3.0, 9.0};
    const std::vector<double> other = {1.0, 2.0, 3.0, 0.0, 2.0, 2.5, 1.0, 2.0, 1.0};
    const auto paid_is = [&](std::size_t length, double at, double paid, double payers) {
        const kernels::Payment found = kernels.pay(first.data(), other.data(), at, length);
        CHECK_EQUAL(found.paid, paid);
        CHECK_EQUAL(found.payers, payers);
    };
    paid_is(0, 2.0, 0.0, 0.0);
    paid_is(8, 2.0, 7.0, 2.0);
    paid_is(9, 2.0, 14.0, 3.0);
    paid_is(9, 9.0, 0.0, 0.0);

    CHECK(kernels.at_least(x.data(), x.data(), 8));
    CHECK(!kernels.at_least(x.data(), higher.data(), 8));

    std::vector<double> best(8, 1.0), second(8, 0.0), owner(8, 5.0);
    kernels.raise_two(best.data(), second.data(), owner.data(), x.data(), 6.0, 8);
    CHECK(best == (std::vector<double>{3.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0}));
    CHECK(second == (std::vector<double>{1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0}));
    CHECK(owner == (std::vector<double>{6.0, 5.0, 6.0, 5.0, 5.0, 5.0, 5.0, 5.0}));
    std::vector<double> kept(8, -1.0);
    kernels.swap_kept(kept.data(), negative.data() + 1, best.data(), second.data(), 8);
    CHECK(kept == (std::vector<double>{0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0}));

    const std::vector<double> floor(8, -1.0), top(8, 1.0);
    std::vector<double> at = {-1.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.5, -0.5};
    std::vector<double> slope = {-2.0, 2.0, -2.0, 2.0, -1.0, 1.0, 3.0, -3.0};
    kernels.clip_slope(slope.data(), at.data(), floor.data(), top.data(), 8);
    CHECK(slope == (std::vector<double>{0.0, 2.0, -2.0, 0.0, -1.0, 1.0, 3.0, -3.0}));
    kernels.move_level(at.data(), slope.data(), 0.25, floor.data(), top.data(), 8);
    CHECK(at == (std::vector<double>{-1.0, -0.5, 0.5, 1.0, -0.25, 0.25, 1.0, -1.0}));

    std::vector<double> direction(8, 1.0);
    CHECK_EQUAL(kernels.dot(slope.data(), direction.data(), 8), 0.0 + 2.0 - 2.0 - 1.0 + 1.0);
    CHECK_EQUAL(kernels.deflect(direction.data(), slope.data(), 1.0, 8),
                1.0 + 9.0 + 1.0 + 1.0 + 0.0 + 4.0 + 16.0 + 4.0);
    CHECK(direction == (std::vector<double>{1.0, 3.0, -1.0, 1.0, 0.0, 2.0, 4.0, -2.0}));

    const std::vector<double> zero(8, 0.0);
    CHECK_EQUAL(kernels.drawn_excess(0.5, 2.0, x.data(), zero.data(), 4), 6.5 + 2.5 + 4.5);

    // Two roundings: a fused multiply-add would keep 2^-60.
    const double z = 1.0 + 0x1p-30;
    double draw = 0.0;
    kernels.draw(&draw, -(1.0 + 0x1p-29), z, &z, 1);
    CHECK_EQUAL(draw, 0.0);
    double sum = -(1.0 + 0x1p-29);
    kernels.add_scaled(&sum, z, &z, 1);
    CHECK_EQUAL(sum, 0.0);
    const double rows[] = {z, 1e16, 1.0, -1e16};  // one after the other: 1 is lost
    const double weights[] = {z, 1.0, 1.0, 1.0};
    sum = -(1.0 + 0x1p-29);
    kernels.add_rows(&sum, weights, rows, 4, 1, 1);
    CHECK_EQUAL(sum, 0.0);
}

void model_literals(const Kernels& kernels) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t count = 1; count <= 70; ++count) {
        for (std::size_t at = 0; at < count; ++at) {
            std::vector<double> values(padded_models(count), 0.5);
            CHECK(kernels.within(values.data(), count, 0.5, 0.5));
            for (const double odd : {kNotANumber, kInfinity, -kInfinity, 1.5, -1e-300}) {
                values[at] = odd;
                CHECK(!kernels.within(values.data(), count, 0.0, 1.0));
            }

            std::vector<double> quality(count, 0.5), cost(count, 0.25), sigma(count, 0.0);
            const std::vector<double> mean(count, 2.0), deviation(count, 4.0);
            sigma[at] = 1.5;
            kernels::Reach reach = kernels.reach(quality.data(), sigma.data(), 2.0, count);
            CHECK_EQUAL(reach.lowest, -2.5);
            CHECK_EQUAL(reach.highest, 3.5);
            reach = kernels.reach(sigma.data(), nullptr, 2.0, count);
            CHECK_EQUAL(reach.lowest, count == 1 ? -0.5 : -2.0);
            CHECK_EQUAL(reach.highest, 3.5);
            // Differences of mean 0.5 and 4 - 0.5, of deviation 0 and 6, with roots of 0.25 and
            // 12.25 + 36.
            kernels::DrawnRow drawn = {quality.data(), cost.data(), sigma.data(), mean.data(),
                                       deviation.data()};
            kernels.bound_gains(drawn, {0.0, 0.0}, 2.0, 0.125, count, values.data());
            for (std::size_t i = 0; i < count; ++i) {
                const double due = i == at ? 0.5 * (3.5 + std::sqrt(3.5 * 3.5 + 36.0)) : 0.5;
                CHECK_EQUAL(values[i], (due + 0.125) - 0.5);
            }
            drawn.sigma = nullptr;
            kernels.bound_gains(drawn, {5.5, 0.0}, 2.0, 0.0, count, values.data());
            CHECK_EQUAL(values[at], 0.5 * (-3.0 + 5.0) - 0.5);
            quality[at] = 1.0;
            kernels::RoutedRow row =
                kernels.route(quality.data(), cost.data(), 2.0, count, values.data());
            CHECK_EQUAL(row.best, 0.5);
            CHECK_EQUAL(row.largest_quality, 1.0);
            CHECK(!std::isnan(row.poison));
            CHECK_EQUAL(kernels.first_at_least(values.data(), 0, count, 0.5), at);
            CHECK(kernels.first_at_least(values.data(), at + 1, count, 0.5) >= count);
            CHECK_EQUAL(kernels.first_at_least(values.data(), at, count, -kInfinity), at);
            cost[at] = -0.25;
            quality[at] = -3.0;
            row = kernels.route(quality.data(), cost.data(), 2.0, count, values.data());
            CHECK_EQUAL(row.largest_quality, 3.0);
            CHECK_EQUAL(row.lowest_cost, -0.25);
            CHECK_EQUAL(row.highest_cost, count == 1 ? 0.0 : 0.25);
            for (std::vector<double>* array : {&quality, &cost}) {
                const double kept = (*array)[at];
                (*array)[at] = kNotANumber;
                row = kernels.route(quality.data(), cost.data(), 0.0, count, values.data());
                CHECK(std::isnan(row.poison));
                (*array)[at] = kept;
            }
        }
    }
}

// Prices and uncertainties of every magnitude, of which none may lie outside its bounds.
void screens_truly(const Kernels& kernels) {
    constexpr std::size_t kRows = 20000;
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    std::size_t wrong = 0;
    double widest = 0.0;
    for (std::size_t row = 0; row < kRows; ++row) {
        const std::size_t count = row % 4 == 0 ? 1 : 1 + random() % 150;
        const double scale = std::pow(10.0, std::floor(uniform(random) * 200.0) - 100.0);
        std::vector<double> q, c, sigma, highest(padded_models(count));
        for (std::size_t i = 0; i < count; ++i) {
            q.push_back(scale * (uniform(random) - 0.5));
            const double spread = scale * std::pow(10.0, -3.0 * uniform(random));
            sigma.push_back(random() % 16 == 0 ? 0.0 : std::min(spread, 1e100));
            // u = price / sigma from 1e-320 to 1e3, most of them where it matters.
            const double decades = random() % 4 == 0 ? -320.0 : -6.0;
            const double u = std::pow(10.0, 3.0 + (decades - 3.0) * uniform(random));
            c.push_back(random() % 32 == 0 ? 0.0 : u * spread);
        }
        const double reached =
            kernels.screen(q.data(), c.data(), sigma.data(), 1.0, count, highest.data());
        double best = -1e300;
        for (std::size_t i = 0; i < count; ++i) {
            const double value = reservation_value(q[i], sigma[i], c[i]);
            best = std::max(best, value);
            wrong += !(highest[i] >= value);
            if (std::isfinite(value) && sigma[i] > 1e-12 * std::abs(q[i]) && c[i] < sigma[i]) {
                if (std::isfinite(highest[i])) {
                    widest = std::max(widest, (highest[i] - value) / sigma[i]);
                }
            }
        }
        wrong += !(reached <= best);
    }
    CHECK_EQUAL(wrong, 0U);
    CHECK(widest < 2.0 * kStartMargin);
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.empty()) return b.empty();
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// Numbers whose sum shows the order of its additions, with ties and zeros of both signs.
std::vector<double> numbers(std::mt19937_64& random, std::size_t length) {
    constexpr double kAwkward[] = {0.0, -0.0, 1.0, -1.0, 0x1p-1074, 1e16, -1e16, 0x1.8p-1};
    std::normal_distribution<double> normal;
    std::vector<double> drawn(length);
    for (double& value : drawn) {
        const std::uint64_t kind = random() % 16;
        value = kind < 8 ? kAwkward[kind] : normal(random);
    }
    return drawn;
}

// add_rows() is add_scaled() row by row, to the bit.
void rows_one_by_one(const Kernels& kernels) {
    std::mt19937_64 random(3);
    for (std::size_t length = 0; length <= 150; ++length) {
        for (const std::size_t n_rows : {0U, 1U, 5U}) {
            const std::size_t stride = length + 3;
            const std::vector<double> weights = numbers(random, n_rows);
            const std::vector<double> rows = numbers(random, n_rows * stride);
            std::vector<double> together = numbers(random, length + 1);
            std::vector<double> apart = together;
            kernels.add_rows(together.data(), weights.data(), rows.data(), n_rows, stride, length);
            for (std::size_t i = 0; i < n_rows; ++i) {
                kernels.add_scaled(apart.data(), weights[i], rows.data() + i * stride, length);
            }
            CHECK(same_bits(together, apart));
        }
    }
}

// The excess of each of several rows is that of the row alone, which is added up as the contract
// says.
void rows_in_any_number(const Kernels& kernels) {
    std::mt19937_64 random(4);
    for (const std::size_t length : {0U, 8U, 16U, 40U, 136U}) {
        for (std::size_t n_rows = 0; n_rows <= 9; ++n_rows) {
            const std::size_t stride = length + 3;
            const std::vector<double> matrix = numbers(random, (n_rows + 3) * stride);
            const std::vector<double> level = numbers(random, length);
            std::vector<std::uint32_t> rows;
            for (std::size_t r = 0; r < n_rows; ++r) {
                rows.push_back(static_cast<std::uint32_t>(random() % (n_rows + 3)));
            }
            std::vector<double> expected;
            for (const std::uint32_t row : rows) {
                std::vector<double> above(length);
                for (std::size_t s = 0; s < length; ++s) {
                    above[s] = std::max(matrix[row * stride + s] - level[s], 0.0);
                }
                expected.push_back(kernels.sum(above.data(), length));
            }
            expected.push_back(7.0);  // which nothing may touch
            std::vector<double> found(n_rows + 1, 7.0);
            kernels.excess(matrix.data(), stride, rows.data(), n_rows, level.data(), length,
                           found.data());
            CHECK(same_bits(found, expected));
        }
    }
}

// What each kernel makes of the same arrays, which start `offset` numbers after an aligned address
// and have `length` numbers, followed by one that nothing may touch.
std::vector<std::vector<double>> results(const Kernels& kernels, std::size_t offset,
                                         std::size_t length, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const std::vector<double> x = numbers(random, offset + length + 1);
    const std::vector<double> level = numbers(random, offset + length + 1);
    const double* from = x.data() + offset;
    std::vector<std::vector<double>> all;
    const auto written = [&]() -> double* {
        all.push_back(level);
        return all.back().data() + offset;
    };
    kernels.draw(written(), 0.3, 0.7, from, length);
    kernels.add_scaled(written(), -1.1, from, length);
    const bool padded = length % kLanes == 0;
    double owned = 0.0;
    if (padded) {
        const std::vector<double> other = numbers(random, offset + length);
        kernels.raise(written(), from, length);
        // To the bit the sum of what it writes.
        double* raised = written();
        const double sum = kernels.raise_into(raised, level.data() + offset, from, length);
        CHECK_EQUAL(sum, kernels.sum(raised, length));
        CHECK(std::equal(raised, raised + length, all.end()[-2].data() + offset));
        kernels.lower(written(), from, length);
        kernels.count_above(written(), from, other.data() + offset, length);
        kernels.swap_kept(written(), from, other.data() + offset, other.data() + offset, length);
        kernels.move_level(written(), from, 0.9, x.data(), other.data(), length);
        double* best = written();
        double* second = written();
        double* owner = written();
        // Rows may move in the list, but not their numbers.
        kernels.raise_two(best, second, owner, from, 3.0, length);
        owned = kernels.sum_owned(from, owner, 3.0, length);
    }
    std::vector<double> routed(padded_models(length));
    std::vector<double> screened(padded_models(length));
    const kernels::RoutedRow found =
        kernels.route(from, level.data() + offset, 0.7, length, routed.data());
    std::vector<double> cost, sigma;
    for (std::size_t i = 0; i < length; ++i) cost.push_back(std::abs(level[i]));
    for (std::size_t i = 0; i < length; ++i) sigma.push_back(std::abs(x[i]));
    const double reached =
        kernels.screen(from, cost.data(), sigma.data(), 0.7, length, screened.data());
    double norm = 0.0;
    if (padded) {
        kernels.clip_slope(written(), from, x.data(), x.data() + offset, length);
        norm = kernels.deflect(written(), from, 0.3, length);
    }
    for (const std::vector<double>& row : all) {
        CHECK(std::memcmp(&row.back(), &level.back(), sizeof(double)) == 0);
    }
    all.push_back(routed);
    all.push_back(screened);
    all.push_back(
        {found.best, found.largest_quality, found.lowest_cost, found.highest_cost, reached});
    const kernels::Summary summary = kernels.summarise(from, length);
    all.push_back({summary.sum, summary.squares, summary.largest});
    const kernels::Payment payment = kernels.pay(from, level.data() + offset, 0.1, length);
    all.push_back({payment.paid, payment.payers});
    all.push_back({kernels.drawn_excess(0.1, -0.6, from, level.data() + offset, length)});
    if (padded) {
        all.push_back({norm, owned});
        all.push_back({kernels.dot(from, level.data() + offset, length)});
        all.push_back({kernels.at_least(from, level.data() + offset, length) ? 1.0 : 0.0});
        all.push_back({kernels.at_least(from, from, length) ? 1.0 : 0.0});
        all.push_back({kernels.sum(from, length)});
        double excess = -1.0;
        const std::uint32_t only[] = {0};
        kernels.excess(from, length, only, 1, level.data() + offset, length, &excess);
        all.push_back({excess});
    }
    return all;
}

void against_baseline(const Kernels& kernels, const Kernels& baseline) {
    for (std::size_t length = 0; length <= 72; ++length) {
        for (std::size_t offset = 0; offset < 8; ++offset) {
            const std::uint64_t seed = 100 * length + offset;
            const auto expected = results(baseline, offset, length, seed);
            const auto given = results(kernels, offset, length, seed);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                CHECK(same_bits(expected[i], given[i]));
            }
        }
    }
}

}  // namespace

int main() {
    CHECK_EQUAL(padded_length(1), 8U);
    CHECK_EQUAL(padded_length(8), 8U);
    CHECK_EQUAL(padded_length(9), 16U);

    const Kernels& baseline = *instruction_set_rows().back().table;
    for (const InstructionSetRow& row : instruction_set_rows()) {
        if (row.table == nullptr || row.lacking() != nullptr) {
            std::printf("%s: not available\n", row.name);
            continue;
        }
        CHECK_EQUAL(std::string(row.table->name), std::string(row.name));
        literals(*row.table);
        rows_one_by_one(*row.table);
        rows_in_any_number(*row.table);
        model_literals(*row.table);
        screens_truly(*row.table);
        against_baseline(*row.table, baseline);
        std::printf("%s: checked\n", row.name);
    }
    return check::report();
}
