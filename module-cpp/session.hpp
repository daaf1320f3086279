// What the modules of one agent share: the core, what is known of ended executors, and the metrics.
#pragma once

#include DCE_MESOS_GAUGE_HEADER

#include <map>
#include <mesos/mesos.hpp>
#include <mutex>
#include <process/future.hpp>
#include <process/id.hpp>
#include <process/metrics/timer.hpp>
#include <process/process.hpp>
#include <stout/duration.hpp>
#include <stout/json.hpp>
#include <stout/option.hpp>
#include <vector>

#include "core.hpp"

namespace dce {

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Opener = std::function<Try<std::shared_ptr<Core>>(const std::string& path, const std::string& config)>;

  // The session of this process, for a module of this kind with these parameters: the one that there is, or a new one
  // with a core that opener opens. It ends with its last owner. The error is a sentence for the operator.
  static Try<std::shared_ptr<Session>> join(const std::string& kind, const mesos::Parameters& parameters,
                                            const Opener& opener = load);
  ~Session();

  // Notes that an executor was removed. Not for two threads at a time: the agent holds a mutex over its hooks.
  void removed(const std::string& framework, const std::string& executor);

  // Has the core do an operation of dcecore.h. Never fails: a core that does not answer is DCE_TIMEOUT. What is chained
  // to the future runs on a thread of libprocess, never on one of the core.
  process::Future<Reply> call(const std::string& op, const JSON::Object& input, const Duration& timeout);

  // Keeps the labels of an executor that ended for the status of its task, until it is removed.
  void attribute(const mesos::ExecutorInfo& ended);
  Option<mesos::Labels> attribution(const std::string& framework, const std::string& executor);

  // Whether a pod may only be launched where the core has checked its cgroup: use_hierarchy=require.
  bool strict() const { return strict_; }

 private:
  Session(std::shared_ptr<Core> core, bool strict) : strict_(strict), core_(std::move(core)) {}
  void addMetrics();

  const bool strict_;
  std::shared_ptr<Core> core_;
  // The process that completions are dispatched to.
  const process::UPID relay_ = process::spawn(new process::ProcessBase(process::ID::generate("dce-relay")), true);
  std::vector<process::metrics::DCE_MESOS_GAUGE> gauges_;
  process::metrics::Timer<Microseconds> hookTime_{"dce/hook", Hours(1)};

  std::mutex mutex_;  // of what follows; nothing is waited for under it
  std::map<std::pair<std::string, std::string>, mesos::Labels> attributions_;  // by framework and executor
};

}  // namespace dce
