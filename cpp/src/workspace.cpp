#include "workspace.hpp"

#include <algorithm>
#include <limits>

#include "bits.hpp"
#include "kernels.hpp"
#include "reveal_draws.hpp"

namespace headrace {

namespace {

constexpr std::size_t kNoGroup = std::numeric_limits<std::size_t>::max();

}  // namespace

Workspace::Workspace(const Policy& policy, const RevealTables* reveals, std::size_t n_open)
    : qualities(policy.models.size()),
      costs(qualities),
      deviations(qualities),
      policy_(policy),
      reveals_(reveals),
      q_(n_open),
      c_(n_open),
      s_(n_open),
      ran_(std::make_unique<bool[]>(n_open)),
      revealed_group_(kNoGroup),
      supermodel_(std::make_unique<bool[]>(n_open)),
      samples_(problem_) {
    ran.reserve(policy.models.size());
    order.reserve(policy.models.size());
    if (policy.by_threshold) return;

    problem_.n_queries = 1;
    problem_.n_models = n_open;
    problem_.qualities = {q_.data(), n_open};
    problem_.costs = {c_.data(), n_open};
    problem_.lambda = {&lambda_, 1};
    problem_.ran = {ran_.get(), n_open};
    problem_.strategy = policy.strategy;
    problem_.search = policy.search;
    problem_.max_models = policy.max_models;
    if (policy.ahead == Ahead::kDeviations) problem_.sigmas = {s_.data(), n_open};
    if (policy.ahead == Ahead::kReveals) {
        right_.resize(n_open * reveals->n_nodes);
        wrong_.resize(right_.size());
        problem_.reveals = {reveals->n_nodes, 1, right_.data(), wrong_.data(), {&reveal_group_, 1},
                            policy.lookahead};
    }
    if (policy.uses_samples()) {
        problem_.samples = policy.samples.data();
        problem_.n_samples = policy.n_samples;
        sample_facts_.make(problem_.samples, policy.n_samples, policy.order.size(),
                           policy.n_samples);
    }
    selection_ = {&next_model_, supermodel_.get(), &numbers_[0], &numbers_[1],
                  &numbers_[2], &numbers_[3],      &optimal_,    &nodes_};

    const Method method = find_method(policy.strategy, policy.search);
    if (method.make_streamer != nullptr) {
        streamer_ = method.make_streamer(problem_, selection_);
    } else {
        searcher_ = std::make_unique<Searcher>(problem_, samples_, method);
    }
}

const Selection& Workspace::decide(const RunSetFacts* facts, std::size_t group, bool dearer,
                                   const std::function<bool()>& poll) {
    lay_out(dearer);
    if (policy_.ahead == Ahead::kReveals) lay_reveals(group);
    if (streamer_ != nullptr) {
        streamer_->decide_rows(0, 1);
        return selection_;
    }
    lay_samples(facts);
    Control control(poll);
    searcher_->decide(0, selection_, control);
    return selection_;
}

void Workspace::lay_out(bool dearer) {
    const std::size_t n_open = order.size();
    const double lookahead = policy_.lookahead;
    bool* const marks = ran_.get();
    for (std::size_t p = 0; p < n_open; ++p) {
        const std::size_t i = order[p];
        q_[p] = qualities[i];
        c_[p] = costs[i];
        s_[p] = lookahead * deviations[i];
        marks[p] = bits::holds(has_run, i);
    }
    lambda_ = policy_.price(dearer, ran.size());
    problem_.ties = (dearer ? policy_.dear : policy_.cheap).ties;
}

void Workspace::lay_samples(const RunSetFacts* facts) {
    const std::size_t each = problem_.n_samples;
    switch (policy_.ahead) {
        case Ahead::kDeviations:
            if (order.size() == policy_.order.size()) {
                return samples_.lay({problem_.samples, each, &sample_facts_});
            }
            own_rows_.data.clear();
            for (const std::size_t i : order) {
                const double* from = policy_.samples_of(i);
                own_rows_.data.insert(own_rows_.data.end(), from, from + each);
            }
            own_rows_.learn(each);
            return samples_.lay(own_rows_.view(each));
        case Ahead::kCovariance:
            return samples_.lay(facts->rows.view(each));
        case Ahead::kReveals:
            return lay_changes();
        case Ahead::kNothing:
            return samples_.lay(certain_rows());
    }
}

void Workspace::lay_changes() {
    const std::size_t each = problem_.n_samples;
    const std::uint32_t* falling = policy_.falling.data();
    if (order.size() < policy_.order.size()) {
        falling_.clear();
        for (const std::size_t i : order) {
            const std::uint32_t* drawn = falling + policy_.position[i] * each;
            falling_.insert(falling_.end(), drawn, drawn + each);
        }
        falling = falling_.data();
    }
    own_rows_.data.resize(order.size() * each);
    draw_changes(problem_, 0, falling, own_rows_.data.data());
    own_rows_.learn(each);
    samples_.lay(own_rows_.view(each));
}

void Workspace::lay_reveals(std::size_t group) {
    if (revealed_group_ == group && order.size() == policy_.order.size()) return;
    const std::size_t n_nodes = reveals_->n_nodes;
    for (std::size_t p = 0; p < order.size(); ++p) {
        const std::size_t from = (group * policy_.order.size() + order[p]) * n_nodes;
        std::copy_n(reveals_->right.data() + from, n_nodes, right_.data() + p * n_nodes);
        std::copy_n(reveals_->wrong.data() + from, n_nodes, wrong_.data() + p * n_nodes);
    }
    revealed_group_ = group;
}

}  // namespace headrace
