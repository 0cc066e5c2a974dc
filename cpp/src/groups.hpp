// The groups that a fit has seen, by their labels.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "headrace/label.hpp"
#include "saved_state.hpp"

namespace headrace {

class Groups {
public:
    Groups() = default;

    // Takes the labels saved below a name; different ones, sorted.
    Groups(SavedState& saved, const std::string& name);

    std::size_t size() const;

    // The number of a label's group; size() for an unseen label, or none.
    std::size_t number_of(const Label& label) const;

private:
    using Texts = std::vector<std::string>;
    using Integers = std::vector<std::int64_t>;
    using Reals = std::vector<double>;

    std::variant<Texts, Integers, Reals> labels_;
};

}  // namespace headrace
