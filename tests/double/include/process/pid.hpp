// After process/pid.hpp of apache/mesos (3rdparty/libprocess): the address of a process; here its id alone.
#pragma once

#include <string>

namespace process {

struct UPID {
  std::string id;
};

}  // namespace process
