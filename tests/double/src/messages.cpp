// What stout's protobuf::parse makes of JSON for the messages that the module parses: unknown fields are passed over, a field
// of the wrong type and a missing required one are errors (internal::parse and internal::Parse in stout/protobuf.hpp).
#include <mesos/mesos.hpp>
#include <mesos/slave/isolator.hpp>

namespace mesos {
namespace {

Error wrongType(const std::string& field) {
  return Error("Not expecting a JSON value of this type for field '" + field + "'");
}

}  // namespace

Try<ResourceStatistics> ResourceStatistics::fromJson(const JSON::Object& object) {
  ResourceStatistics statistics;
  const std::map<std::string, double*> fields = {{"timestamp", statistics.mutable_timestamp()},
                                                 {"cpus_user_time_secs", statistics.mutable_cpus_user_time_secs()},
                                                 {"cpus_system_time_secs", statistics.mutable_cpus_system_time_secs()},
                                                 {"mem_rss_bytes", statistics.mutable_mem_rss_bytes()},
                                                 {"processes", statistics.mutable_processes()}};
  for (const auto& value : object.values) {
    const auto field = fields.find(value.first);
    if (field == fields.end()) {
      continue;
    }
    if (!value.second.is<JSON::Number>()) {
      return wrongType(value.first);
    }
    *field->second = value.second.as<JSON::Number>().as<double>();
  }
  if (object.values.count("timestamp") == 0) {
    return Error("Missing required fields: timestamp");
  }
  return statistics;
}

Try<slave::ContainerLaunchInfo> slave::ContainerLaunchInfo::fromJson(const JSON::Object& object) {
  ContainerLaunchInfo info;
  const Result<JSON::Object> environment = object.at<JSON::Object>("environment");
  if (environment.isError()) {
    return wrongType("environment");
  }
  if (environment.isNone()) {
    return info;
  }
  const Result<JSON::Array> variables = environment.get().at<JSON::Array>("variables");
  if (variables.isError()) {
    return wrongType("variables");
  }
  for (const JSON::Value& one : variables.isSome() ? variables.get().values : std::vector<JSON::Value>()) {
    if (!one.is<JSON::Object>()) {
      return wrongType("variables");
    }
    const Result<JSON::String> name = one.as<JSON::Object>().at<JSON::String>("name");
    const Result<JSON::String> value = one.as<JSON::Object>().at<JSON::String>("value");
    if (!name.isSome()) {
      return Error("Missing required fields: environment.variables.name");
    }
    Environment::Variable* added = info.mutable_environment()->add_variables();
    added->set_name(name.get().value);
    added->set_value(value.isSome() ? value.get().value : "");
  }
  return info;
}

}  // namespace mesos
