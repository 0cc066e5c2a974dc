#include "saved_state.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>
#include <utility>

namespace headrace {

namespace {

constexpr std::string_view kKind = "headrace router";
constexpr int kFormat = 1;  // the newest that this library reads
constexpr std::string_view kArray = "array";

std::string quoted(std::string_view text) {
    return "'" + std::string(text) + "'";
}

void check_format(const std::string& version) {
    const bool digits =
        !version.empty() && version.size() <= 9 &&
        std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) throw StateError("it has no version, got " + quoted(version));
    if (std::stol(version) > kFormat) {
        throw StateError("it was saved by a newer headrace, in format " + version +
                         ", and this one reads formats up to " + std::to_string(kFormat) +
                         ": upgrade headrace");
    }
}

}  // namespace

void Size::agree(const std::string& place, std::size_t got) {
    if (!known_) known_ = got;
    if (*known_ == got) return;
    throw StateError(quoted(place) + " has size " + std::to_string(got) + " where " + name_ +
                     " is " + std::to_string(*known_));
}

SavedState::SavedState(TensorFile file) : arrays_(std::move(file.tensors)) {
    const auto text = [&](std::string_view name) {
        const auto found = file.texts.find(name);
        return found == file.texts.end() ? std::string() : found->second;
    };
    if (text("kind") != kKind) throw StateError("it holds arrays, but not those of a router");
    check_format(text("format"));
    json::Value values;
    try {
        values = json::parse(text("values"));
    } catch (const json::Error& error) {
        throw StateError(std::string("its values are not JSON: ") + error.what());
    }
    auto* object = std::get_if<json::Object>(&values.is);
    if (object == nullptr) throw StateError("its values must be an object");
    values_ = std::move(*object);
}

bool SavedState::is_list(std::string_view name) const {
    const auto found = values_.find(name);
    return found != values_.end() && found->second.get_if<json::List>() != nullptr;
}

json::Value SavedState::value(const std::string& name) {
    auto found = values_.extract(name);
    if (found.empty()) throw StateError("there is no value " + quoted(name));
    return std::move(found.mapped());
}

Tensor SavedState::array(const std::string& name) {
    auto found = arrays_.extract(name);
    if (found.empty()) throw StateError("there is no array " + quoted(name));
    return std::move(found.mapped());
}

template <class T>
std::vector<T> SavedState::values_of(const std::string& name, std::initializer_list<Size*> sizes,
                                     const char* type) {
    Tensor tensor = array(name);
    auto* values = std::get_if<std::vector<T>>(&tensor.values);
    if (values == nullptr || tensor.shape.size() != sizes.size()) {
        throw StateError("array " + quoted(name) + " must be " + type + " with " +
                         std::to_string(sizes.size()) + " dimensions");
    }
    if constexpr (std::is_same_v<T, double>) {
        const auto is_nan = [](double x) { return std::isnan(x); };
        if (std::any_of(values->begin(), values->end(), is_nan)) {
            throw StateError("array " + quoted(name) + " has NaN in it");
        }
    }
    auto got = tensor.shape.begin();
    for (Size* size : sizes) size->agree(name, *got++);
    return std::move(*values);
}

std::vector<double> SavedState::doubles(const std::string& name,
                                        std::initializer_list<Size*> sizes) {
    return values_of<double>(name, sizes, "float64");
}

std::vector<std::int64_t> SavedState::integers(const std::string& name,
                                               std::initializer_list<Size*> sizes) {
    return values_of<std::int64_t>(name, sizes, "int64");
}

std::vector<std::uint8_t> SavedState::truths(const std::string& name,
                                             std::initializer_list<Size*> sizes) {
    return values_of<std::uint8_t>(name, sizes, "bool");
}

double SavedState::number(const std::string& name) {
    const json::Value given = value(name);
    if (const auto* integer = given.get_if<std::int64_t>()) return static_cast<double>(*integer);
    if (const auto* real = given.get_if<double>()) return *real;
    throw StateError("value " + quoted(name) + " must be a number");
}

std::int64_t SavedState::integer(const std::string& name) {
    const json::Value given = value(name);
    if (const auto* integer = given.get_if<std::int64_t>()) return *integer;
    throw StateError("value " + quoted(name) + " must be an integer");
}

std::size_t SavedState::count(const std::string& name) {
    const std::int64_t given = integer(name);
    if (given < 0) throw StateError("value " + quoted(name) + " must not be negative");
    return static_cast<std::size_t>(given);
}

bool SavedState::truth(const std::string& name) {
    const json::Value given = value(name);
    if (const auto* truth = given.get_if<bool>()) return *truth;
    throw StateError("value " + quoted(name) + " must be true or false");
}

std::string SavedState::text(const std::string& name) {
    std::optional<std::string> found = text_or_none(name);
    if (!found) throw StateError("value " + quoted(name) + " must be a text");
    return std::move(*found);
}

std::optional<std::string> SavedState::text_or_none(const std::string& name) {
    json::Value given = value(name);
    if (given.get_if<std::nullptr_t>() != nullptr) return std::nullopt;
    if (auto* text = std::get_if<std::string>(&given.is)) return std::move(*text);
    throw StateError("value " + quoted(name) + " must be a text");
}

std::vector<std::string> SavedState::texts(const std::string& name) {
    json::Value given = value(name);
    auto* list = std::get_if<json::List>(&given.is);
    if (list == nullptr) throw StateError("value " + quoted(name) + " must be a list of texts");
    std::vector<std::string> found;
    for (json::Value& entry : *list) {
        auto* text = std::get_if<std::string>(&entry.is);
        if (text == nullptr) throw StateError("value " + quoted(name) + " must be a list of texts");
        found.push_back(std::move(*text));
    }
    return found;
}

std::vector<std::string> SavedState::different_texts(const std::string& name) {
    std::vector<std::string> found = texts(name);
    if (std::set<std::string>(found.begin(), found.end()).size() < found.size()) {
        throw StateError("value " + quoted(name) + " must be different texts");
    }
    return found;
}

json::Value SavedState::parameter(const std::string& name) {
    json::Value given = value(name);
    const bool nested =
        given.get_if<json::List>() != nullptr || given.get_if<json::Object>() != nullptr;
    if (nested) throw StateError("value " + quoted(name) + " must be a parameter");
    return given;
}

std::optional<Tensor> SavedState::parameter_array(const std::string& name) {
    const json::Value given = parameter(name);
    if (given.get_if<std::nullptr_t>() != nullptr) return std::nullopt;
    const auto* text = given.get_if<std::string>();
    if (text == nullptr || *text != kArray) {
        throw StateError("value " + quoted(name) + " must be an array or none");
    }
    return array(name);
}

void SavedState::drop_parameter(const std::string& name) {
    const json::Value given = parameter(name);
    const auto* text = given.get_if<std::string>();
    if (text != nullptr && *text == kArray) arrays_.erase(name);
}

void SavedState::refuse_rest() const {
    if (!arrays_.empty()) throw StateError("nothing knows " + quoted(arrays_.begin()->first));
    if (!values_.empty()) throw StateError("nothing knows " + quoted(values_.begin()->first));
}

}  // namespace headrace
