// After process/metrics/timer.hpp of apache/mesos (3rdparty/libprocess): the last time between start and stop, in the unit
// that its name gets as a suffix. The real one adds percentiles over the window.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <process/metrics/metrics.hpp>
#include <string>

namespace process {
namespace metrics {

template <typename T>
class Timer : public Metric {
 public:
  Timer(const std::string& name, const Duration& /*window*/)
      : Metric(name + "_" + T::units()), data_(std::make_shared<Data>()) {}

  void start() {
    const std::lock_guard<std::mutex> lock(data_->mutex);
    data_->start = std::chrono::steady_clock::now();
  }
  void stop() {
    const std::lock_guard<std::mutex> lock(data_->mutex);
    data_->last = Duration(std::chrono::nanoseconds(std::chrono::steady_clock::now() - data_->start).count());
  }
  Future<double> value() const override {
    const std::lock_guard<std::mutex> lock(data_->mutex);
    return data_->last.isSome() ? Future<double>(data_->last.get().us()) : Failure("No value");
  }

 private:
  struct Data {
    std::mutex mutex;
    std::chrono::steady_clock::time_point start;
    Option<Duration> last;
  };
  std::shared_ptr<Data> data_;  // shared by the copies, as there
};

}  // namespace metrics
}  // namespace process
