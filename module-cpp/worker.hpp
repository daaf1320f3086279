// The one thread that makes every call into the core, and the queues in front of it.
#pragma once

#include <memory>
#include <stout/nothing.hpp>
#include <stout/try.hpp>
#include <utility>

#include "core.hpp"

namespace dce {

// Callers only take a mutex that is never held during a call into the core. The thread has all asynchronous signals
// blocked, so that the threads of the Go runtime, which inherit its mask, leave the agent's signals to the agent.
class Worker {
 public:
  using Opener = std::function<Try<std::shared_ptr<Core>>()>;

  // Starts the thread, which opens the core, and waits for that, but not longer than patience.
  static Try<std::shared_ptr<Worker>> start(const Opener& opener, std::chrono::milliseconds patience);

  // Ends the core and the thread; calls that were not made are done with DCE_CLOSED. A core that takes longer than the
  // patience of start is left to itself.
  ~Worker();

  // Queues hook.removed for an executor that was removed now. Bounded in memory: what does not fit is dropped, and found
  // again by the reconcile that is ordered then. What fails is logged by the core.
  void removed(const std::string& framework, const std::string& executor);

  // Queues an operation, ahead of all removed executors. done is called once, on a thread of the core or of the worker.
  void call(const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Core::Done done);

  // Removed executors that the core has not taken over yet.
  size_t waiting() const;

 private:
  struct State;
  Worker(std::shared_ptr<State> state, std::chrono::milliseconds patience) : state_(std::move(state)), patience_(patience) {}

  const std::shared_ptr<State> state_;  // shared with the thread, which outlives a worker whose core hangs
  const std::chrono::milliseconds patience_;
};

}  // namespace dce
