// After process/metrics/pull_gauge.hpp of apache/mesos (3rdparty/libprocess): the function is called at every snapshot.
#pragma once

#include <functional>
#include <process/metrics/metrics.hpp>
#include <string>
#include <utility>

namespace process {
namespace metrics {

class PullGauge : public Metric {
 public:
  PullGauge(const std::string& name, std::function<Future<double>()> f) : Metric(name), f_(std::move(f)) {}
  Future<double> value() const override { return f_(); }

 private:
  std::function<Future<double>()> f_;
};

}  // namespace metrics
}  // namespace process
