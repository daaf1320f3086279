// How long the hook holds the agent: a table, and 1 as the exit code where a 99th percentile is above 100 us.
// Usage: hook_bench CORE [DOCKER_HOST that hangs [DOCKER_HOST]]; the defaults are for the C stub.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <thread>
#include <vector>

#include "hook.hpp"
#include "parameters.hpp"

namespace {

constexpr double kLimit = 100;  // us, of the 99th percentile

// Calls the hook of a new session n times and prints a line. pace is the time between two calls.
bool measure(const char* name, const std::string& core, const std::string& host, int before, int n,
             std::chrono::microseconds pace) {
  const auto session = dce::Session::join("hook", dce::parameters({{"core", core}, {"docker_host", host}}));
  if (session.isError()) {
    std::cerr << session.error() << std::endl;
    return false;
  }
  dce::CleanupHook hook(session.get());
  mesos::FrameworkInfo framework;
  framework.mutable_id()->set_value("20c4f4f5-5b1d-4d0c-8f0b-7d8d0c4b6a5e-0000");
  mesos::ExecutorInfo executor;
  executor.mutable_executor_id()->set_value("marathon-shop_cart.instance-6b1c0d3e-9f0e-11ee-8c90-0242ac120002._app.1");
  std::vector<double> times;
  for (int i = 0; i < before + n; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    hook.slaveRemoveExecutorHook(framework, executor);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    if (i >= before) {
      times.push_back(took.count());
      std::this_thread::sleep_for(pace);
    }
  }
  const double first = times[0];
  std::sort(times.begin(), times.end());
  const double p99 = times[times.size() * 99 / 100];
  std::printf("%-34s %7d %9.1f %9.1f %9.1f %9.1f\n", name, n, first, times[times.size() / 2], p99, times.back());
  return p99 <= kLimit;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " CORE [DOCKER_HOST that hangs [DOCKER_HOST]]" << std::endl;
    return 2;
  }
  const std::string core = argv[1];
  const std::string hangs = argc > 2 ? argv[2] : "stub:hang";
  const std::string answers = argc > 3 ? argv[3] : "";
  const std::string stuck = argc > 2 ? hangs : "stub:hang-submit";
  using std::chrono::microseconds;
  std::printf("%-34s %7s %9s %9s %9s %9s\n", "the hook, in us", "calls", "first", "p50", "p99", "max");
  bool good = measure("core idle, a call every ms", core, answers, 0, 1000, microseconds(1000));
  good = measure("core idle, calls without a pause", core, answers, 0, 10000, microseconds(0)) && good;
  good = measure("engine hangs, a call every ms", core, hangs, 0, 1000, microseconds(1000)) && good;
  good = measure("engine hangs, 10000 queued", core, hangs, 10000, 10000, microseconds(0)) && good;
  good = measure("core hangs in a call, 10000 queued", core, stuck, 10000, 10000, microseconds(0)) && good;
  if (!good) {
    std::printf("a 99th percentile is above %.0f us\n", kLimit);
  }
  return good ? 0 : 1;
}
