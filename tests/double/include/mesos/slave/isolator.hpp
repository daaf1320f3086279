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

class ContainerState {
  MESOS_DOUBLE_FIELD(ExecutorInfo, executor_info)
  MESOS_DOUBLE_FIELD(ContainerID, container_id)
  MESOS_DOUBLE_FIELD(int64_t, pid)
  MESOS_DOUBLE_FIELD(std::string, directory)
};

using Limits = google::protobuf::Map<std::string, Value::Scalar>;

class ContainerConfig {
  MESOS_DOUBLE_FIELD(ExecutorInfo, executor_info)
  MESOS_DOUBLE_FIELD(CommandInfo, command_info)
  MESOS_DOUBLE_REPEATED(Resource, resources)
  MESOS_DOUBLE_FIELD(Limits, limits)
  MESOS_DOUBLE_FIELD(std::string, directory)
  MESOS_DOUBLE_FIELD(std::string, user)
};

class ContainerLaunchInfo {
  MESOS_DOUBLE_FIELD(Environment, environment)

 public:
  static Try<ContainerLaunchInfo> fromJson(const JSON::Object& object);
};

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
