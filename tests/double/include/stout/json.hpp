// After stout/json.hpp of apache/mesos: the values, the parser, and what writes them. Objects are sorted by key there too.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <ostream>
#include <stout/result.hpp>
#include <stout/try.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace JSON {

struct Value;

struct Null {};

struct String {
  String() = default;
  String(std::string text) : value(std::move(text)) {}
  String(const char* text) : value(text) {}
  std::string value;
};

struct Number {
  Number() = default;
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  Number(T number) : real(static_cast<double>(number)), whole(0), integral(std::is_integral_v<T>) {
    if constexpr (std::is_integral_v<T>) {
      whole = static_cast<int64_t>(number);
    }
  }
  template <typename T>
  T as() const {
    return integral ? static_cast<T>(whole) : static_cast<T>(real);
  }
  double real = 0;
  int64_t whole = 0;
  bool integral = true;
};

struct Boolean {
  Boolean(bool truth = false) : value(truth) {}
  bool value;
};

struct Object {
  Object() = default;
  Object(std::initializer_list<std::pair<const std::string, Value>> fields);

  // Object::at of stout: None where there is no such key, an error where it holds something else.
  template <typename T>
  Result<T> at(const std::string& key) const;

  std::map<std::string, Value> values;
};

struct Array {
  std::vector<Value> values;
};

struct Value {
  Value() = default;
  Value(bool truth) : held(Boolean(truth)) {}
  Value(const char* text) : held(String(text)) {}
  template <typename T>
  Value(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      held = Number(value);
    } else {
      held = value;
    }
  }

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(held);
  }
  template <typename T>
  const T& as() const {
    return std::get<T>(held);
  }

  std::variant<Null, String, Number, Object, Array, Boolean> held;
};

inline Object::Object(std::initializer_list<std::pair<const std::string, Value>> fields) : values(fields) {}

template <typename T>
Result<T> Object::at(const std::string& key) const {
  const auto found = values.find(key);
  if (found == values.end()) {
    return None();
  }
  if (!found->second.is<T>()) {
    return Error("Found JSON value of wrong type");
  }
  return found->second.as<T>();
}

Try<Value> parse(const std::string& text);

template <typename T>
Try<T> parse(const std::string& text) {
  const Try<Value> value = parse(text);
  if (value.isError()) {
    return Error(value.error());
  }
  if (!value.get().is<T>()) {
    return Error("Unexpected JSON type parsed");
  }
  return value.get().as<T>();
}

std::ostream& operator<<(std::ostream& out, const Value& value);

}  // namespace JSON
