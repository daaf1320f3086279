// After include/mesos/hook.hpp of apache/mesos: the one hook of the module. The default does nothing.
#pragma once

#include <mesos/mesos.hpp>
#include <stout/nothing.hpp>
#include <stout/try.hpp>

namespace mesos {

class Hook {
 public:
  virtual ~Hook() = default;
  virtual Try<Nothing> slaveRemoveExecutorHook(const FrameworkInfo& /*framework*/, const ExecutorInfo& /*executor*/) {
    return Nothing();
  }
};

}  // namespace mesos
