// Sobol's points, scrambled, through the normal quantile. All is integer arithmetic up to that.
//
// I. M. Sobol (1967), "On the distribution of points in a cube and the approximate evaluation of
// integrals", USSR Comput. Math. Math. Phys. 7(4), 86-112.
// J. Matousek (1998), "On the L2-discrepancy for anchored boxes", J. Complexity 14(4), 527-556.
// M. J. Wichura (1988), "Algorithm AS 241: The Percentage Points of the Normal Distribution",
// Applied Statistics 37(3), 477-484.
#include "headrace/standard_normal.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "bit_generators.hpp"
#include "headrace/problem.hpp"
#include "require.hpp"

namespace headrace {

namespace {

constexpr unsigned kDigits = 32;  // binary digits of a point's coordinate
constexpr unsigned kMaxBits = 16;
static_assert(kMaxDrawnSamples == std::size_t{1} << kMaxBits);

// Initial direction numbers are from a fixed stream, unrelated to the caller's seed; of 256
// candidates, this one is taken for a model, and the first for those not listed.
constexpr std::uint64_t kInitialSeed = 1967;
constexpr std::uint8_t kInitialChoices[] = {
    0x00, 0x00, 0x00, 0x01, 0x01, 0x02, 0x16, 0xe8, 0xfb, 0xb1, 0x0f, 0xf5, 0xb0, 0x60, 0x5a, 0x59,
    0x1e, 0x86, 0x4c, 0x2d, 0xcb, 0x51, 0xf7, 0xfe, 0x4c, 0x54, 0x4b, 0x85, 0xc1, 0x18, 0xd2, 0x77,
    0xfd, 0x7d, 0x85, 0x85, 0x9b, 0x79, 0xe1, 0xe1, 0x59, 0x1e, 0xcb, 0x28, 0x4e, 0x4d, 0x66, 0x4f,
    0x8f, 0x56, 0x60, 0x8f, 0x2f, 0x0f, 0xd9, 0xf1, 0x5f, 0x18, 0x2a, 0xb6, 0x15, 0xde, 0x52, 0xdc,
};

// Polynomials over GF(2); bit i is the coefficient of x^i.
using Polynomial = std::uint32_t;

std::vector<Polynomial> prime_factors(Polynomial number) {
    std::vector<Polynomial> factors;
    for (Polynomial candidate = 2; number > 1; ++candidate) {
        if (number % candidate == 0) factors.push_back(candidate);
        while (number % candidate == 0) number /= candidate;
    }
    return factors;
}

// x^exponent modulo a polynomial of a degree, by repeated squaring.
Polynomial power_of_x(Polynomial exponent, Polynomial polynomial, unsigned degree) {
    const auto times_x = [&](Polynomial value) {
        value <<= 1;
        return (value >> degree & 1) != 0 ? value ^ polynomial : value;
    };
    Polynomial power = 1;
    for (int digit = std::bit_width(exponent) - 1; digit >= 0; --digit) {
        Polynomial square = 0;
        for (unsigned bit = degree; bit-- > 0;) {
            square = times_x(square);
            if ((power >> bit & 1) != 0) square ^= power;
        }
        power = (exponent >> digit & 1) != 0 ? times_x(square) : square;
    }
    return power;
}

// The first primitive polynomials, by degree, then by their numbers. A polynomial is primitive if x
// has the order 2^degree - 1 modulo it: its powers are then all the nonzero remainders.
std::vector<Polynomial> primitive_polynomials(std::size_t count) {
    std::vector<Polynomial> found;
    for (unsigned degree = 1; found.size() < count; ++degree) {
        const Polynomial order = (Polynomial{1} << degree) - 1;
        const std::vector<Polynomial> primes = prime_factors(order);
        for (Polynomial p = order + 2; p < 2 * (order + 1) && found.size() < count; p += 2) {
            if (power_of_x(order, p, degree) != 1) continue;
            const auto is_shorter = [&](Polynomial prime) {
                return power_of_x(order / prime, p, degree) == 1;
            };
            if (std::none_of(primes.begin(), primes.end(), is_shorter)) found.push_back(p);
        }
    }
    return found;
}

using Directions = std::array<std::uint32_t, kMaxBits>;  // in units of 2^-32

// Sobol's directions m_i 2^-i, i = 1, 2, ... The first model has the van der Corput sequence, every
// other one a primitive polynomial x^d + a_1 x^(d-1) + ... + a_(d-1) x + 1 of its own, d odd
// initial numbers m_i below 2^i, and the recurrence
//
//     m_i = 2 a_1 m_(i-1) ^ 4 a_2 m_(i-2) ^ ... ^ 2^d m_(i-d) ^ m_(i-d)
std::vector<Directions> sobol_directions(std::size_t n_models) {
    const std::vector<Polynomial> polynomials = primitive_polynomials(n_models - 1);
    std::vector<Directions> directions(n_models);
    Sfc64 stream(kInitialSeed);
    for (std::size_t model = 0; model < n_models; ++model) {
        const std::uint64_t choice =
            model < std::size(kInitialChoices) ? kInitialChoices[model] : 0U;
        Directions& m = directions[model];
        for (unsigned i = 0; i < kMaxBits; ++i) {
            const std::uint64_t drawn = stream() * (2 * choice + 1);
            m[i] = model == 0 ? 1 : static_cast<std::uint32_t>(drawn >> (63 - i)) | 1;
        }
        if (model > 0) {
            const Polynomial polynomial = polynomials[model - 1];
            const auto degree = static_cast<unsigned>(std::bit_width(polynomial)) - 1;
            for (unsigned i = degree; i < kMaxBits; ++i) {
                m[i] = m[i - degree] ^ m[i - degree] << degree;
                for (unsigned lag = 1; lag < degree; ++lag) {
                    if ((polynomial >> (degree - lag) & 1) != 0) m[i] ^= m[i - lag] << lag;
                }
            }
        }
        for (unsigned i = 0; i < kMaxBits; ++i) m[i] <<= kDigits - 1 - i;
    }
    return directions;
}

// Matousek's scramble: the digits of each coordinate are multiplied by a random lower unit
// triangular matrix over GF(2), then shifted by random digits.
class Scramble {
public:
    explicit Scramble(Pcg64& random) {
        for (unsigned i = 0; i < kMaxBits; ++i) columns_[i] = (word(random) | 1U << 31) >> i;
        shift_ = word(random);
    }

    std::uint32_t shift() const { return shift_; }

    std::uint32_t direction(std::uint32_t digits) const {
        std::uint32_t scrambled = 0;
        for (unsigned i = 0; i < kMaxBits; ++i) {
            if ((digits >> (kDigits - 1 - i) & 1) != 0) scrambled ^= columns_[i];
        }
        return scrambled;
    }

private:
    static std::uint32_t word(Pcg64& random) {
        return static_cast<std::uint32_t>(random() >> (64 - kDigits));
    }

    std::array<std::uint32_t, kMaxBits> columns_;
    std::uint32_t shift_;
};

template <std::size_t n>
double polynomial_at(double r, const double (&coefficients)[n]) {
    double value = coefficients[0];
    for (std::size_t i = 1; i < n; ++i) value = value * r + coefficients[i];
    return value;
}

// AS 241 for 2^-33 <= p <= 1 - 2^-33, where its third piece is not needed. Highest powers first.
double normal_quantile(double p) {
    static constexpr double kInnerTop[] = {2.5090809287301226727e+3, 3.3430575583588128105e+4,
                                           6.7265770927008700853e+4, 4.5921953931549871457e+4,
                                           1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                           1.3314166789178437745e+2, 3.3871328727963666080e+0};
    static constexpr double kInnerBottom[] = {5.2264952788528545610e+3, 2.8729085735721942674e+4,
                                              3.9307895800092710610e+4, 2.1213794301586595867e+4,
                                              5.3941960214247511077e+3, 6.8718700749205790830e+2,
                                              4.2313330701600911252e+1, 1.0};
    static constexpr double kOuterTop[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2,
                                           2.41780725177450611770e-1, 1.27045825245236838258e+0,
                                           3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                           4.63033784615654529590e+0, 1.42343711074968357734e+0};
    static constexpr double kOuterBottom[] = {1.05075007164441684324e-9, 5.47593808499534494600e-4,
                                              1.51986665636164571966e-2, 1.48103976427480074590e-1,
                                              6.89767334985100004550e-1, 1.67638483018380384940e+0,
                                              2.05319162663775882187e+0, 1.0};
    const double q = p - 0.5;
    if (std::abs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return polynomial_at(r, kInnerTop) * q / polynomial_at(r, kInnerBottom);
    }
    const double r = std::sqrt(-std::log(q <= 0.0 ? p : 1.0 - p)) - 1.6;
    const double x = polynomial_at(r, kOuterTop) / polynomial_at(r, kOuterBottom);
    return q < 0.0 ? -x : x;
}

}  // namespace

void standard_normal_samples(std::uint64_t seed, std::size_t n_models, std::size_t n_samples,
                             double* samples) {
    require(n_models >= 1 && n_models <= kMaxModels, "n_models must be 1 to 4096");
    require(std::has_single_bit(n_samples) && n_samples <= kMaxDrawnSamples,
            "n_samples must be a power of two up to 65536");
    require(samples != nullptr, "samples must not be null");
    const std::vector<Directions> directions = sobol_directions(n_models);
    std::vector<std::uint32_t> points(n_samples);
    Pcg64 random(seed);
    for (std::size_t model = 0; model < n_models; ++model) {
        const Scramble scramble(random);
        points[0] = scramble.shift();
        for (std::size_t half = 1, bit = 0; half < n_samples; half *= 2, ++bit) {
            const std::uint32_t direction = scramble.direction(directions[model][bit]);
            for (std::size_t s = 0; s < half; ++s) points[half + s] = points[s] ^ direction;
        }
        double* row = samples + model * n_samples;
        for (std::size_t s = 0; s < n_samples; ++s)
            row[s] = normal_quantile((points[s] + 0.5) * 0x1p-32);
    }
}

}  // namespace headrace
