// After process/process.hpp of apache/mesos (3rdparty/libprocess): a process has a queue of its own and handles one event at
// a time. Here one thread serves them all.
#pragma once

#include <functional>
#include <process/pid.hpp>
#include <string>
#include <utility>

namespace process {

class ProcessBase {
 public:
  explicit ProcessBase(std::string id = "") : pid_{std::move(id)} {}
  virtual ~ProcessBase() = default;
  const UPID& self() const { return pid_; }

 private:
  const UPID pid_;
};

// process.cpp, ProcessManager::spawn; with manage the process is deleted when it is terminated (gc.hpp).
UPID spawn(ProcessBase* process, bool manage);

// process.cpp, terminate: with inject it goes before what waits in the queue, without after it.
void terminate(const UPID& pid, bool inject);

namespace internal {
void deliver(const UPID& pid, std::function<void()> event);
}  // namespace internal

}  // namespace process
