// After stout/try.hpp and stout/error.hpp of apache/mesos: a value or an error.
#pragma once

#include <stout/nothing.hpp>
#include <stout/option.hpp>
#include <string>
#include <utility>

struct Error {
  explicit Error(std::string text) : message(std::move(text)) {}
  const std::string message;
};

template <typename T>
class Try {
 public:
  Try(T value) : value_(std::move(value)) {}
  Try(const Error& error) : error_(error.message) {}

  bool isSome() const { return value_.isSome(); }
  bool isError() const { return value_.isNone(); }
  const T& get() const { return value_.get(); }
  T& get() { return value_.get(); }
  const std::string& error() const { return error_; }

 private:
  Option<T> value_;
  std::string error_;
};
