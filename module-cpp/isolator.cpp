// Tells the core what lives, has it check and name the pod's cgroup, and clean up before the agent does.
#include <glog/logging.h>

#include <cmath>
#include <process/clock.hpp>
#include <stout/protobuf.hpp>
#include <stout/stringify.hpp>

#include "dcecore.h"
#include "modules.hpp"

using mesos::ContainerID;
using mesos::ResourceStatistics;
using mesos::slave::ContainerConfig;
using mesos::slave::ContainerLaunchInfo;
using process::Failure;
using process::Future;

namespace dce {
namespace {

const Seconds kTimeout(5);       // of what a launch, an end or a start of the agent waits for
const Seconds kShortTimeout(1);  // of what is asked for again and again, or can be done without

JSON::Object about(const ContainerID& id) {
  return {{"container", JSON::String(id.value())}};
}

// What the core is told of a container. JSON has no infinity, which is "no limit" for Mesos, and stout's writer ends
// the process where it finds one (NumberWriter in stout/jsonify.hpp): no number of a framework may come through unseen.
JSON::Object about(const ContainerID& id, ContainerConfig config) {
  config.clear_task_info();
  config.mutable_executor_info()->clear_resources();
#ifdef DCE_MESOS_HAS_LIMITS
  for (auto& limit : *config.mutable_limits()) {
    limit.second.set_value(std::isfinite(limit.second.value()) ? limit.second.value() : -1);
  }
#endif
  return {{"container", JSON::String(id.value())}, {"config", JSON::protobuf(config)}};
}

template <typename Messages>
JSON::Array all(const Messages& messages) {
  JSON::Array array;
  for (const auto& message : messages) {
    array.values.push_back(JSON::protobuf(message));
  }
  return array;
}

// The message that a reply holds.
template <typename Message>
Option<Message> parsed(const Reply& reply) {
  Try<JSON::Object> fields = JSON::parse<JSON::Object>(reply.body);
  if (reply.status != DCE_OK || fields.isError()) {
    return None();
  }
  fields.get().values["timestamp"] = process::Clock::now().secs();  // of ResourceStatistics; others have no such field
  const Try<Message> message = protobuf::parse<Message>(fields.get());
  return message.isSome() ? Option<Message>(message.get()) : None();
}

Future<Nothing> tell(const std::shared_ptr<Session>& session, const std::string& op, const JSON::Object& input) {
  return session->call(op, input, kTimeout).then([op](const Reply& reply) -> Future<Nothing> {
    if (reply.status == DCE_REFUSED && op == "update") {
      return Failure(reply.body);
    }
    LOG_IF(WARNING, reply.status != DCE_OK) << "dce: the agent goes on without a " << op << ": " << reply.body;
    return Nothing();
  });
}

// It has no state: the core has it. Nested and standalone containers are not its business, and isolate, watch and
// status have nothing to do: these are as the agent has them by default.
//
// Only a refusal by the core of a launch or an update fails a future. A core that hangs or panics must not keep the
// agent from its work: the executor checks again what prepare could not, and a reconcile finds what cleanup could not
// remove. With use_hierarchy=require a pod that the core could not check is not launched, either.
class PodIsolator final : public mesos::slave::Isolator {
 public:
  explicit PodIsolator(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  Future<Nothing> recover(const DCE_MESOS_LIST<mesos::slave::ContainerState>& states,
                          const hashset<ContainerID>& orphans) override {
    auto known = states;
    for (auto& state : known) {
      state.mutable_executor_info()->clear_resources();  // as in about
    }
    return tell(session_, "recover", {{"states", all(known)}, {"orphans", all(orphans)}});
  }

  Future<Option<ContainerLaunchInfo>> prepare(const ContainerID& id, const ContainerConfig& config) override {
    const JSON::Object input = about(id, config);
    // Only the core can say for sure which commands are pods; without this name, none is.
    const bool strict = session_->strict() && stringify(input).find("dce-executor") != std::string::npos;
    return session_->call("prepare", input, kTimeout)
        .then([id, strict](const Reply& reply) -> Future<Option<ContainerLaunchInfo>> {
          const auto info = parsed<ContainerLaunchInfo>(reply);
          if (reply.status == DCE_REFUSED) {
            return Failure(reply.body);
          }
          if (info.isNone() && strict) {
            return Failure("use_hierarchy=require, and the core could not check the pod's cgroup: " + reply.body);
          }
          LOG_IF(WARNING, info.isNone()) << "dce: the launch of " << id.value() << " goes on without: " << reply.body;
          return info;
        });
  }

#ifdef DCE_MESOS_HAS_LIMITS
  Future<Nothing> update(const ContainerID& id, const mesos::Resources& requests,
                         const google::protobuf::Map<std::string, mesos::Value::Scalar>& limits = {}) override {
    ContainerConfig config;
    *config.mutable_limits() = limits;
#else
  Future<Nothing> update(const ContainerID& id, const mesos::Resources& requests) override {
    ContainerConfig config;
#endif
    *config.mutable_resources() = requests;
    return tell(session_, "update", about(id, config));
  }

  Future<ResourceStatistics> usage(const ContainerID& id) override {
    return session_->call("usage", about(id), kShortTimeout).then([](const Reply& reply) {
      return parsed<ResourceStatistics>(reply).getOrElse(ResourceStatistics());
    });
  }

  Future<Nothing> cleanup(const ContainerID& id) override {
    return session_->call("attribute", about(id), kShortTimeout).then([session = session_, id](const Reply& reply) {
      const auto ended = parsed<mesos::ExecutorInfo>(reply);  // none where there is nothing to say
      if (ended.isSome()) {
        session->attribute(ended.get());
      }
      return tell(session, "cleanup", about(id));
    });
  }

 private:
  const std::shared_ptr<Session> session_;
};

}  // namespace

mesos::slave::Isolator* newIsolator(const std::shared_ptr<Session>& session) {
  return new PodIsolator(session);
}

}  // namespace dce
