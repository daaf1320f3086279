// After stout/option.hpp and stout/none.hpp of apache/mesos: a value or None.
#pragma once

#include <optional>
#include <utility>

struct None {};

template <typename T>
class Option {
 public:
  Option() = default;
  Option(const None&) {}
  Option(T value) : value_(std::move(value)) {}

  bool isSome() const { return value_.has_value(); }
  bool isNone() const { return !value_.has_value(); }
  const T& get() const { return value_.value(); }
  T& get() { return value_.value(); }
  T getOrElse(const T& other) const { return value_.value_or(other); }

 private:
  std::optional<T> value_;
};
