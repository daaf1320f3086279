// Has the core clean up behind every executor that the agent removes.
#pragma once

#include <memory>
#include <mesos/hook.hpp>
#include <stout/nothing.hpp>
#include <stout/try.hpp>
#include <utility>

#include "session.hpp"

namespace dce {

class CleanupHook final : public mesos::Hook {
 public:
  explicit CleanupHook(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  // Runs on the agent's own actor (Slave::removeExecutor), which answers nobody meanwhile: it only notes the executor.
  Try<Nothing> slaveRemoveExecutorHook(const mesos::FrameworkInfo& framework, const mesos::ExecutorInfo& executor) override {
    session_->removed(framework.id().value(), executor.executor_id().value());
    return Nothing();
  }

 private:
  const std::shared_ptr<Session> session_;
};

}  // namespace dce
