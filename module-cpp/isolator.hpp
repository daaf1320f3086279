// Tells the core what lives, has it check and name the pod's cgroup, and clean up before the agent does.
#pragma once

#include <list>
#include <memory>
#include <mesos/slave/isolator.hpp>
#include <utility>
#include <vector>

#include "session.hpp"

namespace dce {

#ifdef DCE_MESOS_RECOVERS_LIST
using ContainerStates = std::list<mesos::slave::ContainerState>;
#else
using ContainerStates = std::vector<mesos::slave::ContainerState>;
#endif

// It has no state: the core has it. Nested and standalone containers are no executors and not its business, isolate has
// nothing to do, watch and status have nothing to say: these are as the agent has them by default.
//
// Only a refusal by the core (DCE_REFUSED) of a launch or an update fails a future. A core that hangs or panics must not keep the agent from its work;
// the executor checks again what prepare could not, and the reconcile finds what cleanup could not remove.
class PodIsolator final : public mesos::slave::Isolator {
 public:
  explicit PodIsolator(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  process::Future<Nothing> recover(const ContainerStates& states, const hashset<mesos::ContainerID>& orphans) override;

  process::Future<Option<mesos::slave::ContainerLaunchInfo>> prepare(const mesos::ContainerID& id,
                                                                     const mesos::slave::ContainerConfig& config) override;

#ifdef DCE_MESOS_HAS_LIMITS
  process::Future<Nothing> update(const mesos::ContainerID& id, const mesos::Resources& requests,
                                  const google::protobuf::Map<std::string, mesos::Value::Scalar>& limits = {}) override;
#else
  process::Future<Nothing> update(const mesos::ContainerID& id, const mesos::Resources& requests) override;
#endif

  process::Future<mesos::ResourceStatistics> usage(const mesos::ContainerID& id) override;

  process::Future<Nothing> cleanup(const mesos::ContainerID& id) override;

 private:
  const std::shared_ptr<Session> session_;
};

}  // namespace dce
