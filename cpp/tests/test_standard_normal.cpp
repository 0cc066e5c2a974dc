// The draws: fixed bits, one in each interval, rows that stay as models are added.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "bit_generators.hpp"
#include "check.hpp"
#include "headrace/headrace.hpp"
#include "headrace/standard_normal.hpp"

namespace {

std::vector<double> drawn(std::uint64_t seed, std::size_t n_models, std::size_t n_samples) {
    std::vector<double> samples(n_models * n_samples);
    headrace::standard_normal_samples(seed, n_models, n_samples, samples.data());
    return samples;
}

double cdf(double x) {
    return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

// The first words of NumPy's PCG64(42) and SFC64(42).
void generators_are_as_published() {
    headrace::Pcg64 pcg(42);
    for (const std::uint64_t word :
         {14276969152011380360U, 8095878257575067585U, 15838336090824644132U}) {
        CHECK_EQUAL(pcg(), word);
    }
    headrace::Sfc64 sfc(42);
    for (const std::uint64_t word :
         {9775594601838723485U, 6977463094773878866U, 17439770048677797496U}) {
        CHECK_EQUAL(sfc(), word);
    }
}

// Points of rows 0, 1, 10 and 69 in units of 2^-32.
void bits_never_change() {
    constexpr std::uint64_t kDigits[4][4] = {{2638909548, 364067182, 4197420615, 1926637381},
                                             {4154332863, 1695680200, 54680117, 2446215746},
                                             {1150703590, 4039634084, 799540344, 2616835898},
                                             {945586592, 3939325377, 1144985757, 2528038140}};
    const std::vector<double> samples = drawn(18446744073709551557U, 70, 4);
    std::size_t i = 0;
    for (const std::size_t row : {0U, 1U, 10U, 69U}) {
        for (std::size_t s = 0; s < 4; ++s) {
            const double digits = cdf(samples[row * 4 + s]) * 0x1p32 - 0.5;
            CHECK_EQUAL(static_cast<std::uint64_t>(std::llround(digits)), kDigits[i][s]);
        }
        ++i;
    }
}

void rows_are_stratified(std::size_t n_models, std::size_t n_samples) {
    const std::vector<double> samples = drawn(1, n_models, n_samples);
    for (std::size_t row = 0; row < n_models; ++row) {
        std::vector<bool> seen(n_samples, false);
        for (std::size_t s = 0; s < n_samples; ++s) {
            const double u = cdf(samples[row * n_samples + s]);
            seen[static_cast<std::size_t>(u * static_cast<double>(n_samples))] = true;
        }
        CHECK(std::find(seen.begin(), seen.end(), false) == seen.end());
    }
}

void more_models_append_rows() {
    const std::vector<double> few = drawn(7, 12, 32), many = drawn(7, 300, 32);
    CHECK(std::equal(few.begin(), few.end(), many.begin()));
    CHECK(drawn(8, 12, 32) != few);
}

void refused(std::size_t n_models, std::size_t n_samples, double* samples, const char* message) {
    CHECK_THROWS(headrace::standard_normal_samples(0, n_models, n_samples, samples),
                 std::invalid_argument, message);
}

}  // namespace

int main() {
    generators_are_as_published();
    bits_never_change();
    for (const std::size_t n_samples : {1U, 2U, 128U, 1024U}) rows_are_stratified(70, n_samples);
    rows_are_stratified(headrace::kMaxModels, 8);
    more_models_append_rows();
    double untouched = 5.0;
    refused(0, 8, &untouched, "n_models");
    refused(4097, 8, &untouched, "n_models");
    refused(1, 0, &untouched, "power of two");
    refused(1, 12, &untouched, "power of two");
    refused(1, 1U << 17, &untouched, "power of two");
    refused(1, 8, nullptr, "null");
    CHECK_EQUAL(untouched, 5.0);
    return check::report();
}
