// Has the core clean up behind every executor that the agent removes, and says in a status what the kernel killed.
#include "modules.hpp"

namespace dce {
namespace {

// Runs on the agent's own actor (Slave::removeExecutor), under the mutex of all hooks (src/hook/manager.cpp): memory only.
class CleanupHook final : public mesos::Hook {
 public:
  explicit CleanupHook(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  Try<Nothing> slaveRemoveExecutorHook(const mesos::FrameworkInfo& framework,
                                       const mesos::ExecutorInfo& executor) override {
    session_->removed(framework.id().value(), executor.executor_id().value());
    return Nothing();
  }

  // Called by Slave::statusUpdate, which takes the labels of the result in place of the status' own. Attributions are
  // there from the isolator's cleanup on; after that comes the agent's status for tasks whose executor sent none
  // (cleanupIsolators in src/slave/containerizer/mesos/containerizer.cpp, executorTerminated in src/slave/slave.cpp).
  Result<mesos::TaskStatus> slaveTaskStatusDecorator(const mesos::FrameworkID& framework,
                                                     const mesos::TaskStatus& status) override {
    const auto found = session_->attribution(framework.value(), status.executor_id().value());
    for (const auto state : {mesos::TASK_STAGING, mesos::TASK_STARTING, mesos::TASK_RUNNING, mesos::TASK_KILLING}) {
      if (found.isNone() || status.state() == state) {
        return None();
      }
    }
    mesos::TaskStatus decorated;
    *decorated.mutable_labels() = status.labels();
    decorated.mutable_labels()->MergeFrom(found.get());
    return decorated;
  }

 private:
  const std::shared_ptr<Session> session_;
};

}  // namespace

mesos::Hook* newHook(const std::shared_ptr<Session>& session) {
  return new CleanupHook(session);
}

}  // namespace dce
