// After stout/result.hpp of apache/mesos: a value, an error, or neither.
#pragma once

#include <stout/option.hpp>
#include <stout/try.hpp>
#include <string>
#include <utility>

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
