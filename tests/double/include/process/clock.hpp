// After process/clock.hpp of apache/mesos (3rdparty/libprocess): seconds since 1970, with a fraction.
#pragma once

#include <chrono>

namespace process {

struct Time {
  double seconds;
  double secs() const { return seconds; }
};

struct Clock {
  static Time now() {
    return Time{std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }
};

}  // namespace process
