// What the modules of one agent share: the core, the thread that calls it, and the metrics.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mesos/mesos.hpp>
#include <mutex>
#include <process/future.hpp>
#include <process/metrics/timer.hpp>
#include <process/pid.hpp>
#include <stout/duration.hpp>
#include <stout/json.hpp>
#include <stout/try.hpp>
#include <string>
#include <vector>

#include "loader.hpp"
#include "worker.hpp"

namespace dce {

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Opener = std::function<Try<std::shared_ptr<Core>>(const std::string& path, const std::string& config)>;

  // The session of this process, for a module ("hook" or "isolator") with these parameters: the one that there is, or a new
  // one with a core that opener opens. It ends with its last owner. The error is a sentence for the operator.
  static Try<std::shared_ptr<Session>> join(const std::string& module, const mesos::Parameters& parameters,
                                            const Opener& opener = load);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Notes that an executor was removed, and returns. Not for two threads at a time: the agent holds a mutex over its hooks.
  void removed(const std::string& framework, const std::string& executor);

  // Has the core do an operation of dcecore.h. Never fails: a core that does not answer is DCE_TIMEOUT. What is chained to
  // the future runs on a thread of libprocess, never on one of the core.
  process::Future<Reply> call(const std::string& op, const JSON::Object& input, const Duration& timeout);

 private:
  Session() : hookTime_("dce/hook", Hours(1)) {}
  void addMetrics();
  process::Future<double> metric(const std::string& key);

  std::shared_ptr<Worker> worker_;
  process::UPID relay_;  // the process that completions are dispatched to
  process::metrics::Timer<Microseconds> hookTime_;
  std::vector<std::function<void()>> removeMetrics_;

  std::mutex mutex_;  // of the two below
  process::Future<Reply> metrics_;
  std::chrono::steady_clock::time_point asked_;  // when metrics_ were asked for
};

}  // namespace dce
