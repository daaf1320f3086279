// After include/mesos/mesos.proto of apache/mesos: the messages that the module sees. Fields that neither it nor the core uses
// are left out.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mesos {

#define MESOS_DOUBLE_ID(optional, required, many) required(std::string, value)
MESOS_DOUBLE_MESSAGE(FrameworkID, MESOS_DOUBLE_ID)
MESOS_DOUBLE_MESSAGE(ExecutorID, MESOS_DOUBLE_ID)
MESOS_DOUBLE_MESSAGE(TaskID, MESOS_DOUBLE_ID)
MESOS_DOUBLE_MESSAGE(ContainerID, MESOS_DOUBLE_ID)

inline bool operator==(const ContainerID& one, const ContainerID& other) {
  return one.value() == other.value();
}

#define MESOS_DOUBLE_PAIR(optional, required, many) required(std::string, key) required(std::string, value)
MESOS_DOUBLE_MESSAGE(Parameter, MESOS_DOUBLE_PAIR)

#define MESOS_DOUBLE_PARAMETERS(optional, required, many) many(std::vector<Parameter>, parameter)
MESOS_DOUBLE_MESSAGE(Parameters, MESOS_DOUBLE_PARAMETERS)

#define MESOS_DOUBLE_LABEL(optional, required, many) required(std::string, key) optional(std::string, value)
MESOS_DOUBLE_MESSAGE(Label, MESOS_DOUBLE_LABEL)

#define MESOS_DOUBLE_LABELS(optional, required, many) many(std::vector<Label>, labels)
MESOS_DOUBLE_MESSAGE(LabelsFields, MESOS_DOUBLE_LABELS)

class Labels : public LabelsFields {
 public:
  void MergeFrom(const Labels& that) {
    mutable_labels()->insert(mutable_labels()->end(), that.labels().begin(), that.labels().end());
  }
};

#define MESOS_DOUBLE_FRAMEWORK(optional, required, many) optional(FrameworkID, id)
MESOS_DOUBLE_MESSAGE(FrameworkInfo, MESOS_DOUBLE_FRAMEWORK)

#define MESOS_DOUBLE_COMMAND(optional, required, many) \
  optional(bool, shell) optional(std::string, value) many(std::vector<std::string>, arguments)
MESOS_DOUBLE_MESSAGE(CommandInfo, MESOS_DOUBLE_COMMAND)

#define MESOS_DOUBLE_SCALAR(optional, required, many) required(double, value)
MESOS_DOUBLE_MESSAGE(ValueScalar, MESOS_DOUBLE_SCALAR)

struct Value {
  using Scalar = ValueScalar;
};

#define MESOS_DOUBLE_RESOURCE(optional, required, many) required(std::string, name) optional(Value::Scalar, scalar)
MESOS_DOUBLE_MESSAGE(Resource, MESOS_DOUBLE_RESOURCE)

#define MESOS_DOUBLE_EXECUTOR(optional, required, many)                                                \
  required(ExecutorID, executor_id) optional(FrameworkID, framework_id) optional(CommandInfo, command) \
      many(std::vector<Resource>, resources) optional(std::string, source) optional(Labels, labels)
MESOS_DOUBLE_MESSAGE(ExecutorInfo, MESOS_DOUBLE_EXECUTOR)

#define MESOS_DOUBLE_HEALTH(optional, required, many) optional(double, delay_seconds)
MESOS_DOUBLE_MESSAGE(HealthCheck, MESOS_DOUBLE_HEALTH)

#define MESOS_DOUBLE_TASK(optional, required, many) optional(TaskID, task_id) optional(HealthCheck, health_check)
MESOS_DOUBLE_MESSAGE(TaskInfo, MESOS_DOUBLE_TASK)

enum TaskState {
  TASK_STARTING = 0,
  TASK_RUNNING = 1,
  TASK_FINISHED = 2,
  TASK_FAILED = 3,
  TASK_KILLED = 4,
  TASK_LOST = 5,
  TASK_STAGING = 6,
  TASK_KILLING = 8,
  TASK_GONE = 11,
};

class TaskStatus {
  MESOS_DOUBLE_FIELD(TaskID, task_id)
  MESOS_DOUBLE_FIELD(TaskState, state)
  MESOS_DOUBLE_FIELD(std::string, message)
  MESOS_DOUBLE_FIELD(ExecutorID, executor_id)
  MESOS_DOUBLE_FIELD(Labels, labels)
};

#define MESOS_DOUBLE_VARIABLE(optional, required, many) required(std::string, name) optional(std::string, value)
MESOS_DOUBLE_MESSAGE(EnvironmentVariable, MESOS_DOUBLE_VARIABLE)

#define MESOS_DOUBLE_ENVIRONMENT(optional, required, many) many(std::vector<EnvironmentVariable>, variables)
MESOS_DOUBLE_MESSAGE(Environment, MESOS_DOUBLE_ENVIRONMENT)

// All numbers that Mesos 1.4 has; later versions have more.
#define MESOS_DOUBLE_STATISTICS(optional, required, many)                                                                   \
  required(double, timestamp) optional(uint32_t, processes) optional(uint32_t, threads)                                     \
      optional(double, cpus_user_time_secs) optional(double, cpus_system_time_secs) optional(double, cpus_limit) optional(  \
          uint32_t, cpus_nr_periods) optional(uint32_t, cpus_nr_throttled) optional(double, cpus_throttled_time_secs)       \
          optional(uint64_t, mem_total_bytes) optional(uint64_t, mem_total_memsw_bytes) optional(uint64_t, mem_limit_bytes) \
              optional(uint64_t, mem_soft_limit_bytes) optional(uint64_t, mem_file_bytes)                                   \
                  optional(uint64_t, mem_anon_bytes) optional(uint64_t, mem_cache_bytes) optional(uint64_t, mem_rss_bytes)  \
                      optional(uint64_t, mem_mapped_file_bytes) optional(uint64_t, mem_swap_bytes)                          \
                          optional(uint64_t, mem_unevictable_bytes) optional(uint64_t, mem_low_pressure_counter)            \
                              optional(uint64_t, mem_medium_pressure_counter)                                               \
                                  optional(uint64_t, mem_critical_pressure_counter) optional(uint64_t, disk_limit_bytes)    \
                                      optional(uint64_t, disk_used_bytes) optional(uint64_t, net_rx_packets)                \
                                          optional(uint64_t, net_rx_bytes) optional(uint64_t, net_rx_errors)                \
                                              optional(uint64_t, net_rx_dropped) optional(uint64_t, net_tx_packets)         \
                                                  optional(uint64_t, net_tx_bytes) optional(uint64_t, net_tx_errors)        \
                                                      optional(uint64_t, net_tx_dropped)
MESOS_DOUBLE_MESSAGE(ResourceStatistics, MESOS_DOUBLE_STATISTICS)

class ContainerStatus {};

}  // namespace mesos

namespace std {
template <>
struct hash<mesos::ContainerID> {
  size_t operator()(const mesos::ContainerID& id) const { return hash<string>()(id.value()); }
};
}  // namespace std
