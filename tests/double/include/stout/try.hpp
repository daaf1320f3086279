// After stout/try.hpp, stout/error.hpp and stout/result.hpp of apache/mesos: a value, an error, or (Result) neither.
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

template <typename T>
class Result {
 public:
  Result(const None&) {}
  Result(T value) : value_(std::move(value)) {}
  Result(const Error& error) : error_(error.message) {}

  bool isSome() const { return value_.isSome(); }
  bool isError() const { return error_.isSome(); }
  bool isNone() const { return !isSome() && !isError(); }
  const T& get() const { return value_.get(); }
  const std::string& error() const { return error_.get(); }

 private:
  Option<T> value_;
  Option<std::string> error_;
};
