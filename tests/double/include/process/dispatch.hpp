// After process/dispatch.hpp of apache/mesos (3rdparty/libprocess). What is dispatched to a process that is gone is dropped
// (ProcessManager::deliver in process.cpp).
#pragma once

#include <process/process.hpp>
#include <utility>

namespace process {

template <typename F>
void dispatch(const UPID& pid, F f) {
  internal::deliver(pid, std::move(f));
}

}  // namespace process
