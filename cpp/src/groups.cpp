#include "groups.hpp"

#include <algorithm>
#include <utility>

namespace headrace {

namespace {

// Whether each is below the next: NaN is not.
template <class T>
bool ascends(const std::vector<T>& labels) {
    for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
        if (!(labels[i] < labels[i + 1])) return false;
    }
    return labels.size() != 1 || labels.front() == labels.front();
}

template <class T, class Given>
std::size_t place_of(const std::vector<T>& labels, const Given& given) {
    const auto found = std::lower_bound(labels.begin(), labels.end(), given);
    const bool known = found != labels.end() && *found == given;
    return known ? static_cast<std::size_t>(found - labels.begin()) : labels.size();
}

std::size_t place_among(const std::vector<std::string>& labels, const Label& given) {
    const auto* text = std::get_if<std::string_view>(&given);
    return text == nullptr ? labels.size() : place_of(labels, *text);
}

std::size_t place_among(const std::vector<double>& labels, const Label& given) {
    if (const auto* real = std::get_if<double>(&given)) return place_of(labels, *real);
    const auto* integer = std::get_if<std::int64_t>(&given);
    return integer == nullptr ? labels.size() : place_of(labels, static_cast<double>(*integer));
}

std::size_t place_among(const std::vector<std::int64_t>& labels, const Label& given) {
    if (const auto* integer = std::get_if<std::int64_t>(&given)) return place_of(labels, *integer);
    const auto* real = std::get_if<double>(&given);
    const bool whole = real != nullptr && *real >= -0x1p63 && *real < 0x1p63 &&
                       static_cast<double>(static_cast<std::int64_t>(*real)) == *real;
    return whole ? place_of(labels, static_cast<std::int64_t>(*real)) : labels.size();
}

}  // namespace

Groups::Groups(SavedState& saved, const std::string& name) {
    const auto require = [&](bool holds, const char* rule) {
        if (!holds) throw StateError("labels '" + name + "' must be " + rule);
    };
    if (saved.is_list(name)) {
        Texts texts = saved.texts(name);
        require(!texts.empty(), "texts, or an array");
        labels_ = std::move(texts);
    } else {
        std::optional<Tensor> given = saved.parameter_array(name);
        require(given.has_value() && given->shape.size() == 1, "texts, or an array");
        if (auto* reals = std::get_if<Tensor::Doubles>(&given->values)) {
            labels_ = std::move(*reals);
        } else if (auto* integers = std::get_if<Tensor::Integers>(&given->values)) {
            labels_ = std::move(*integers);
        } else {
            const auto& truths = std::get<Tensor::Truths>(given->values);
            labels_ = Integers(truths.begin(), truths.end());
        }
    }
    const bool sorted = std::visit([](const auto& labels) { return ascends(labels); }, labels_);
    require(sorted, "different ones, sorted");
}

std::size_t Groups::size() const {
    return std::visit([](const auto& labels) { return labels.size(); }, labels_);
}

std::size_t Groups::number_of(const Label& label) const {
    return std::visit([&](const auto& labels) { return place_among(labels, label); }, labels_);
}

}  // namespace headrace
