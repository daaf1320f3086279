// After include/mesos/slave/isolator.hpp and containerizer.proto of apache/mesos, as of 1.10. Defaults do nothing.
#pragma once

#include <sys/types.h>

#include <mesos/mesos.hpp>
#include <mesos/resources.hpp>
#include <process/future.hpp>
#include <stout/hashset.hpp>
#include <stout/nothing.hpp>
#include <stout/option.hpp>
#include <string>
#include <vector>

namespace mesos {
namespace slave {

#define MESOS_DOUBLE_STATE(optional, required, many)                                                \
  optional(ExecutorInfo, executor_info) required(ContainerID, container_id) required(uint64_t, pid) \
      required(std::string, directory)
MESOS_DOUBLE_MESSAGE(ContainerState, MESOS_DOUBLE_STATE)

using Limits = google::protobuf::Map<std::string, Value::Scalar>;

#define MESOS_DOUBLE_CONFIG(optional, required, many)                                                     \
  optional(ExecutorInfo, executor_info) optional(TaskInfo, task_info) required(CommandInfo, command_info) \
      many(std::vector<Resource>, resources) many(Limits, limits) required(std::string, directory)        \
          optional(std::string, user) optional(std::string, rootfs)
MESOS_DOUBLE_MESSAGE(ContainerConfig, MESOS_DOUBLE_CONFIG)

#define MESOS_DOUBLE_LAUNCH(optional, required, many) optional(Environment, environment)
MESOS_DOUBLE_MESSAGE(ContainerLaunchInfo, MESOS_DOUBLE_LAUNCH)

class ContainerLimitation {};

class Isolator {
 public:
  virtual ~Isolator() = default;
  virtual bool supportsNesting() { return false; }
  virtual bool supportsStandalone() { return false; }
  virtual process::Future<Nothing> recover(const std::vector<ContainerState>& /*states*/,
                                           const hashset<ContainerID>& /*orphans*/) {
    return Nothing();
  }
  virtual process::Future<Option<ContainerLaunchInfo>> prepare(const ContainerID& /*id*/,
                                                               const ContainerConfig& /*config*/) {
    return Option<ContainerLaunchInfo>(None());
  }
  virtual process::Future<Nothing> isolate(const ContainerID& /*id*/, pid_t /*pid*/) { return Nothing(); }
  virtual process::Future<ContainerLimitation> watch(const ContainerID& /*id*/) { return {}; }
  virtual process::Future<Nothing> update(const ContainerID& /*id*/, const Resources& /*requests*/,
                                          const Limits& /*limits*/ = {}) {
    return Nothing();
  }
  virtual process::Future<ResourceStatistics> usage(const ContainerID& /*id*/) { return ResourceStatistics(); }
  virtual process::Future<ContainerStatus> status(const ContainerID& /*id*/) { return ContainerStatus(); }
  virtual process::Future<Nothing> cleanup(const ContainerID& /*id*/) { return Nothing(); }
};

}  // namespace slave
}  // namespace mesos
