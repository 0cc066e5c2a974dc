#include "construct.hpp"

#include <algorithm>
#include <limits>

#include "kernels.hpp"

namespace headrace {

namespace {

constexpr int kMostMoves = 100;

}  // namespace

std::size_t Construction::best_alone(const Query& query) {
    const auto tradeoff = [&](std::size_t i) {
        return query.qualities[i] - query.lambda * query.costs[i];
    };
    std::size_t best = query.candidates.front();
    double most = tradeoff(best);
    for (const std::size_t i : query.candidates) {
        if (tradeoff(i) > most) {
            best = i;
            most = tradeoff(i);
        }
    }
    return best;
}

void Construction::greedy(const Query& query, const double* best, const std::vector<double>& bounds,
                          Pace& pace, std::vector<std::size_t>& chosen) {
    gains_.clear();
    for (std::size_t c = 0; c < bounds.size(); ++c) {
        if (!(bounds[c] > 0.0)) continue;
        const std::size_t i = query.candidates[c];
        if (std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
        gains_.emplace_back(bounds[c], i);
    }
    std::make_heap(gains_.begin(), gains_.end());
    while (!gains_.empty() && chosen.size() < query.max_new && !pace.late()) {
        std::pop_heap(gains_.begin(), gains_.end());
        auto& [gain, i] = gains_.back();
        gain = query.gain(i, best, pace);
        if (gain <= 0.0) {
            gains_.pop_back();
        } else if (gains_.size() > 1 && gain < gains_.front().first) {
            std::push_heap(gains_.begin(), gains_.end());
        } else {
            chosen.push_back(i);
            draws_.resize(query.length);
            query.draw(i, draws_.data());
            if (best != best_.data()) {
                best_.resize(query.length);
                std::copy_n(best, query.length, best_.begin());
                best = best_.data();
            }
            kernels::raise(best_.data(), draws_.data(), query.length);
            gains_.pop_back();
        }
    }
}

void Construction::improve(const Query& query, const Pool& pool, const std::vector<Local>& among,
                           const double* ran, double lowest, Pace& pace,
                           std::vector<Local>& chosen) {
    constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
    const auto n_samples = static_cast<double>(query.problem.n_samples);
    const double least_gain = kTieTolerance;
    // Sums in another order differ by less.
    const double slack = 1.0 + std::numeric_limits<double>::epsilon() * (2.0 * n_samples + 8.0);
    is_chosen_.assign(pool.size(), false);
    for (const Local j : chosen) is_chosen_[j] = true;
    draws_.resize(query.length);

    for (int move = 0; move < kMostMoves && !pace.late(); ++move) {
        two_.start(query, ran, lowest);
        for (const Local j : chosen) two_.add(pool.draws(j));
        const std::vector<double>& losses = two_.losses();
        const bool may_drop = chosen.size() > (ran == nullptr ? 1U : 0U);

        double most = least_gain;
        std::size_t out = kNone;
        std::size_t in = kNone;
        double dearest = 0.0;
        for (std::size_t place = 0; place < chosen.size(); ++place) {
            const double price = pool.price(chosen[place]);
            dearest = std::max(dearest, price);
            if (may_drop && price - losses[place] > most) {
                most = price - losses[place];
                out = place;
            }
        }
        others_.clear();
        for (const Local j : among) {
            if (!is_chosen_[j]) others_.push_back(j);
        }
        pool.gains(others_, two_.best().data(), added_, pace);
        for (std::size_t o = 0; o < others_.size(); ++o) {
            const Local j = others_[o];
            const double gain = added_[o];
            if (gain > most && chosen.size() < query.max_new) {
                most = gain;
                in = j;
                out = kNone;
            }
            if (gain + dearest <= most) continue;  // a swap saves no more than the price

            // With j in, the samples of a place lose less if it goes.
            kernels::swap_kept(draws_.data(), pool.draws(j), two_.best().data(),
                               two_.second().data(), query.length);
            const auto swapped = [&](std::size_t place, double kept) {
                return gain + pool.price(chosen[place]) - losses[place] + kept;
            };
            // Of a place it keeps no more than that loses, nor than it keeps of all.
            const double all = slack * kernels::sum(draws_.data(), query.length) / n_samples;
            pace.work(2 * query.length);
            bool may_gain = false;
            for (std::size_t place = 0; place < chosen.size(); ++place) {
                may_gain |= swapped(place, std::min(losses[place], all)) > most;
            }
            if (!may_gain) continue;
            two_.sum_by_owner(draws_.data(), kept_);
            pace.work(2 * query.length);
            for (std::size_t place = 0; place < chosen.size(); ++place) {
                const double gained = swapped(place, kept_[place] / n_samples);
                if (gained > most) {
                    most = gained;
                    in = j;
                    out = place;
                }
            }
        }
        if (in == kNone && out == kNone) return;
        if (out != kNone) {
            is_chosen_[chosen[out]] = false;
            chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(out));
        }
        if (in != kNone) {
            is_chosen_[in] = true;
            chosen.push_back(static_cast<Local>(in));
        }
    }
}

}  // namespace headrace
