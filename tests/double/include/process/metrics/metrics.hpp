// After process/metrics/metrics.hpp and metric.hpp of apache/mesos (3rdparty/libprocess).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <process/future.hpp>
#include <stout/duration.hpp>
#include <stout/nothing.hpp>
#include <string>
#include <utility>

namespace process {
namespace metrics {

class Metric {
 public:
  explicit Metric(std::string name) : name_(std::move(name)) {}
  virtual ~Metric() = default;
  virtual Future<double> value() const = 0;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

namespace internal {
Future<Nothing> add(std::shared_ptr<Metric> metric);
}  // namespace internal

// MetricsProcess::add in metrics.cpp keeps a copy, and fails where the name is taken.
template <typename T>
Future<Nothing> add(const T& metric) {
  return internal::add(std::make_shared<T>(metric));
}

// MetricsProcess::remove.
Future<Nothing> remove(const Metric& metric);

// MetricsProcess::snapshot: asks for all values, and leaves out those that fail or take longer than the timeout. It returns
// when they are there, where the real one returns a future.
std::map<std::string, double> snapshot(const Duration& timeout);

}  // namespace metrics
}  // namespace process
