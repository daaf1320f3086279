// After include/mesos/mesos.proto of apache/mesos and what protoc makes of it: the messages that the module sees, with the
// accessors that it uses. Fields that it does not use are left out.
#pragma once

#include <functional>
#include <map>
#include <stout/json.hpp>
#include <stout/try.hpp>
#include <string>
#include <utility>
#include <vector>

// The accessors of an optional field.
#define MESOS_DOUBLE_FIELD(Type, name) \
 public:                               \
  const Type& name() const {           \
    return name##_;                    \
  }                                    \
  void set_##name(Type value) {        \
    name##_ = std::move(value);        \
  }                                    \
  Type* mutable_##name() {             \
    return &name##_;                   \
  }                                    \
                                       \
 private:                              \
  Type name##_ = {};

// The accessors of a repeated field.
#define MESOS_DOUBLE_REPEATED(Type, name) \
 public:                                  \
  const std::vector<Type>& name() const { \
    return name##_;                       \
  }                                       \
  std::vector<Type>* mutable_##name() {   \
    return &name##_;                      \
  }                                       \
  Type* add_##name() {                    \
    return &name##_.emplace_back();       \
  }                                       \
                                          \
 private:                                 \
  std::vector<Type> name##_;

namespace google {
namespace protobuf {
template <typename Key, typename Value>
using Map = std::map<Key, Value>;
}  // namespace protobuf
}  // namespace google

namespace mesos {

class FrameworkID {
  MESOS_DOUBLE_FIELD(std::string, value)
};

class ExecutorID {
  MESOS_DOUBLE_FIELD(std::string, value)
};

class ContainerID {
  MESOS_DOUBLE_FIELD(std::string, value)
 public:
  bool operator==(const ContainerID& that) const { return value() == that.value(); }
};

class Parameter {
  MESOS_DOUBLE_FIELD(std::string, key)
  MESOS_DOUBLE_FIELD(std::string, value)
};

class Parameters {
  MESOS_DOUBLE_REPEATED(Parameter, parameter)
};

class Label {
  MESOS_DOUBLE_FIELD(std::string, key)
  MESOS_DOUBLE_FIELD(std::string, value)
};

class Labels {
  MESOS_DOUBLE_REPEATED(Label, labels)
};

class FrameworkInfo {
  MESOS_DOUBLE_FIELD(FrameworkID, id)
};

class CommandInfo {
  MESOS_DOUBLE_FIELD(std::string, value)
  MESOS_DOUBLE_FIELD(bool, shell)
  MESOS_DOUBLE_REPEATED(std::string, arguments)
};

class ExecutorInfo {
  MESOS_DOUBLE_FIELD(ExecutorID, executor_id)
  MESOS_DOUBLE_FIELD(FrameworkID, framework_id)
  MESOS_DOUBLE_FIELD(CommandInfo, command)
  MESOS_DOUBLE_FIELD(Labels, labels)
};

class Value {
 public:
  class Scalar {
    MESOS_DOUBLE_FIELD(double, value)
  };
};

class Resource {
  MESOS_DOUBLE_FIELD(std::string, name)
  MESOS_DOUBLE_FIELD(Value::Scalar, scalar)
};

class Environment {
 public:
  class Variable {
    MESOS_DOUBLE_FIELD(std::string, name)
    MESOS_DOUBLE_FIELD(std::string, value)
  };
  MESOS_DOUBLE_REPEATED(Variable, variables)
};

class ResourceStatistics {
  MESOS_DOUBLE_FIELD(double, timestamp)
  MESOS_DOUBLE_FIELD(double, cpus_user_time_secs)
  MESOS_DOUBLE_FIELD(double, cpus_system_time_secs)
  MESOS_DOUBLE_FIELD(double, mem_rss_bytes)
  MESOS_DOUBLE_FIELD(double, processes)

 public:
  static Try<ResourceStatistics> fromJson(const JSON::Object& object);
};

class ContainerStatus {};

}  // namespace mesos

namespace std {
template <>
struct hash<mesos::ContainerID> {
  size_t operator()(const mesos::ContainerID& id) const { return hash<string>()(id.value()); }
};
}  // namespace std
