#include "isolator.hpp"

#include <glog/logging.h>

#include <cmath>
#include <process/clock.hpp>
#include <stout/protobuf.hpp>

#include "dcecore.h"

using mesos::ContainerID;
using mesos::Resources;
using mesos::ResourceStatistics;
using mesos::slave::ContainerConfig;
using mesos::slave::ContainerLaunchInfo;
using mesos::slave::ContainerState;
using process::Failure;
using process::Future;

namespace dce {
namespace {

const Seconds kTimeout(5);       // of what a launch, an end or a start of the agent waits for
const Seconds kUsageTimeout(1);  // of what the agent asks for again and again

JSON::String json(const std::string& text) {
  return JSON::String(text);
}

JSON::Object json(const Resources& resources) {
  JSON::Object object;
  if (resources.cpus().isSome()) {
    object.values["cpus"] = resources.cpus().get();
  }
  if (resources.mem().isSome()) {
    object.values["mem_bytes"] = resources.mem().get().bytes();
  }
  return object;
}

// Limits as Mesos has them: mem in MB, and infinity for none.
template <typename Limits>
JSON::Object limitsJson(const Limits& limits) {
  JSON::Object object;
  for (const auto& limit : limits) {
    const double value = limit.second.value();
    if (limit.first == "cpus") {
      object.values["cpus"] = std::isinf(value) ? -1 : value;
    } else if (limit.first == "mem") {
      object.values["mem_bytes"] = std::isinf(value) ? int64_t{-1} : static_cast<int64_t>(value * (1 << 20));
    }
  }
  return object;
}

// What of a container is known at its launch and at the recovery.
template <typename Known>
JSON::Object json(const ContainerID& id, const Known& known) {
  return {{"container", json(id.value())},
          {"sandbox", json(known.directory())},
          {"framework", json(known.executor_info().framework_id().value())},
          {"executor", json(known.executor_info().executor_id().value())}};
}

enum class Refusal { kFails, kIsIgnored };

// The end of an operation; the agent sees no failure of the core, and of refusals those that it is to see.
Future<Nothing> attempted(const std::string& what, const Future<Reply>& reply, Refusal refusal) {
  return reply.then([what, refusal](const Reply& end) -> Future<Nothing> {
    if (end.status == DCE_REFUSED && refusal == Refusal::kFails) {
      return Failure(end.body);
    }
    LOG_IF(WARNING, end.status != DCE_OK) << "dce: " << what << " goes on without its outcome: " << end.body;
    return Nothing();
  });
}

// The message that a reply holds, with some fields of ours.
template <typename Message>
Try<Message> parsed(const Reply& reply, const JSON::Object& ours) {
  Try<JSON::Object> fields = JSON::parse<JSON::Object>(reply.status == DCE_OK ? reply.body : "");
  if (fields.isError()) {
    return Error(fields.error());
  }
  fields.get().values.insert(ours.values.begin(), ours.values.end());
  return protobuf::parse<Message>(fields.get());
}

}  // namespace

Future<Nothing> PodIsolator::recover(const ContainerStates& states, const hashset<ContainerID>& orphans) {
  JSON::Array containers;
  for (const ContainerState& state : states) {
    JSON::Object one = json(state.container_id(), state);
    one.values["pid"] = state.pid();
    containers.values.push_back(one);
  }
  JSON::Array doomed;
  for (const ContainerID& id : orphans) {
    doomed.values.push_back(json(id.value()));
  }
  return attempted("recovery", session_->call("recover", {{"containers", containers}, {"orphans", doomed}}, kTimeout),
                   Refusal::kIsIgnored);
}

Future<Option<ContainerLaunchInfo>> PodIsolator::prepare(const ContainerID& id, const ContainerConfig& config) {
  JSON::Array arguments;
  for (const std::string& argument : config.command_info().arguments()) {
    arguments.values.push_back(json(argument));
  }
  JSON::Object labels;
  for (const auto& label : config.executor_info().labels().labels()) {
    labels.values[label.key()] = json(label.value());
  }
  JSON::Object input = json(id, config);
  input.values["user"] = json(config.user());
  input.values["command"] = JSON::Object{
      {"value", json(config.command_info().value())}, {"shell", config.command_info().shell()}, {"arguments", arguments}};
  input.values["labels"] = labels;
  input.values["requests"] = json(Resources(config.resources()));
#ifdef DCE_MESOS_HAS_LIMITS
  input.values["limits"] = limitsJson(config.limits());
#else
  input.values["limits"] = JSON::Object();
#endif
  const Future<Reply> reply = session_->call("prepare", input, kTimeout);
  return attempted("the launch of " + id.value(), reply, Refusal::kFails).then([reply]() -> Option<ContainerLaunchInfo> {
    const Try<ContainerLaunchInfo> info = parsed<ContainerLaunchInfo>(reply.get(), {});
    return info.isSome() ? Option<ContainerLaunchInfo>(info.get()) : None();
  });
}

#ifdef DCE_MESOS_HAS_LIMITS
Future<Nothing> PodIsolator::update(const ContainerID& id, const Resources& requests,
                                    const google::protobuf::Map<std::string, mesos::Value::Scalar>& limits) {
  const JSON::Object limited = limitsJson(limits);
#else
Future<Nothing> PodIsolator::update(const ContainerID& id, const Resources& requests) {
  const JSON::Object limited;
#endif
  const JSON::Object input = {{"container", json(id.value())}, {"requests", json(requests)}, {"limits", limited}};
  return attempted("the update of " + id.value(), session_->call("update", input, kTimeout), Refusal::kFails);
}

Future<ResourceStatistics> PodIsolator::usage(const ContainerID& id) {
  return session_->call("usage", {{"container", json(id.value())}}, kUsageTimeout).then([](const Reply& reply) {
    const JSON::Number now = process::Clock::now().secs();
    const Try<ResourceStatistics> statistics = parsed<ResourceStatistics>(reply, {{"timestamp", now}});
    return statistics.isSome() ? statistics.get() : ResourceStatistics();
  });
}

Future<Nothing> PodIsolator::cleanup(const ContainerID& id) {
  return attempted("the clean-up of " + id.value(), session_->call("cleanup", {{"container", json(id.value())}}, kTimeout),
                   Refusal::kIsIgnored);
}

}  // namespace dce
