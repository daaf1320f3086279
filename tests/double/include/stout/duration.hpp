// After stout/duration.hpp of apache/mesos: nanoseconds in 64 bits, made by classes that are named after units.
#pragma once

#include <chrono>
#include <cstdint>

class Duration {
 public:
  explicit constexpr Duration(int64_t nanoseconds = 0) : nanoseconds_(nanoseconds) {}

  constexpr int64_t ns() const { return nanoseconds_; }
  constexpr double us() const { return static_cast<double>(nanoseconds_) / 1e3; }
  constexpr double ms() const { return static_cast<double>(nanoseconds_) / 1e6; }
  constexpr double secs() const { return static_cast<double>(nanoseconds_) / 1e9; }
  constexpr Duration operator+(const Duration& that) const { return Duration(nanoseconds_ + that.nanoseconds_); }

  // Duration::Duration has no such conversion; std::chrono is for the double's own use.
  std::chrono::nanoseconds chrono() const { return std::chrono::nanoseconds(nanoseconds_); }

 private:
  int64_t nanoseconds_;
};

struct Microseconds : Duration {
  explicit constexpr Microseconds(int64_t value) : Duration(value * 1000) {}
  static const char* units() { return "us"; }
};
struct Milliseconds : Duration {
  explicit constexpr Milliseconds(int64_t value) : Duration(value * 1000000) {}
};
struct Seconds : Duration {
  explicit constexpr Seconds(int64_t value) : Duration(value * 1000000000) {}
};
struct Hours : Duration {
  explicit constexpr Hours(int64_t value) : Duration(value * 3600 * 1000000000) {}
};
