// After include/mesos/hook.hpp of apache/mesos: the hooks of the module. The defaults do nothing.
#pragma once

#include <mesos/mesos.hpp>
#include <stout/nothing.hpp>
#include <stout/result.hpp>
#include <stout/try.hpp>

namespace mesos {

class Hook {
 public:
  virtual ~Hook() = default;
  virtual Try<Nothing> slaveRemoveExecutorHook(const FrameworkInfo& /*framework*/, const ExecutorInfo& /*executor*/) {
    return Nothing();
  }
  virtual Result<TaskStatus> slaveTaskStatusDecorator(const FrameworkID& /*framework*/, const TaskStatus& /*status*/) {
    return None();
  }
};

}  // namespace mesos
