// What a file holds of a saved router: arrays and values by dotted names, each taken out once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"
#include "tensor_file.hpp"

namespace headrace {

// What was read does not fit what is expected.
class StateError : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

// A size that is learned where it is first met, and is the same wherever it is met again.
class Size {
public:
    explicit Size(const char* name) : name_(name) {}
    Size(const char* name, std::size_t known) : name_(name), known_(known) {}

    // Throws StateError, which names the place.
    void agree(const std::string& place, std::size_t got);

    std::size_t value() const { return known_.value(); }

private:
    const char* name_;
    std::optional<std::size_t> known_;
};

// All but refuse_rest() throw StateError if there is nothing of that name, or it is of another
// kind.
class SavedState {
public:
    // Of a file that says that it is a saved router, in a format that is known.
    explicit SavedState(TensorFile file);

    bool has_array(std::string_view name) const { return arrays_.contains(name); }
    bool has_value(std::string_view name) const { return values_.contains(name); }
    bool is_list(std::string_view name) const;

    // Arrays without NaN.
    std::vector<double> doubles(const std::string& name, std::initializer_list<Size*> sizes);
    std::vector<std::int64_t> integers(const std::string& name, std::initializer_list<Size*> sizes);
    std::vector<std::uint8_t> truths(const std::string& name, std::initializer_list<Size*> sizes);

    double number(const std::string& name);  // an integer serves as one
    std::int64_t integer(const std::string& name);
    std::size_t count(const std::string& name);  // not negative
    bool truth(const std::string& name);
    std::string text(const std::string& name);
    std::optional<std::string> text_or_none(const std::string& name);
    std::vector<std::string> texts(const std::string& name);
    std::vector<std::string> different_texts(const std::string& name);

    // What a user gave: None, a truth value, a number, a text, or the array that "array" stands
    // for.
    json::Value parameter(const std::string& name);
    std::optional<Tensor> parameter_array(const std::string& name);  // none: None
    void drop_parameter(const std::string& name);                    // that nothing here depends on

    // Throws StateError if something is left that nothing asked for.
    void refuse_rest() const;

private:
    json::Value value(const std::string& name);
    Tensor array(const std::string& name);

    template <class T>
    std::vector<T> values_of(const std::string& name, std::initializer_list<Size*> sizes,
                             const char* type);

    std::map<std::string, Tensor, std::less<>> arrays_;
    json::Object values_;
};

}  // namespace headrace
