// One thread that runs what is dispatched and what is due, and the metrics.
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <process/id.hpp>
#include <process/metrics/metrics.hpp>
#include <process/process.hpp>
#include <thread>

namespace process {
namespace {

using Steady = std::chrono::steady_clock;

class Loop {
 public:
  // Never freed: other threads may outlive the statics.
  static Loop* get() {
    static Loop* const loop = new Loop;
    return loop;
  }

  UPID spawn(ProcessBase* process) {
    const std::lock_guard<std::mutex> lock(mutex_);
    processes_[process->self().id].reset(process);
    return process->self();
  }

  void deliver(const UPID& pid, std::function<void()> event, bool inject = false) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      events_.insert(inject ? events_.begin() : events_.end(), Event{pid.id, std::move(event)});
    }
    changed_.notify_one();
  }

  void end(const std::string& id) {
    std::shared_ptr<ProcessBase> ended;  // its destructor runs without the lock
    const std::lock_guard<std::mutex> lock(mutex_);
    ended.swap(processes_[id]);
    processes_.erase(id);
  }

  void later(const Duration& duration, std::function<void()> f) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      timers_.emplace(Steady::now() + duration.chrono(), std::move(f));
    }
    changed_.notify_one();
  }

 private:
  struct Event {
    std::string process;
    std::function<void()> run;
  };

  Loop() {
    std::thread([this] { run(); }).detach();
  }

  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      std::function<void()> next;
      if (!timers_.empty() && timers_.begin()->first <= Steady::now()) {
        next = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
      } else if (!events_.empty()) {
        const Event event = std::move(events_.front());
        events_.pop_front();
        next = processes_.count(event.process) == 0 ? [] {} : event.run;
      } else if (timers_.empty()) {
        changed_.wait(lock);
        continue;
      } else {
        const Steady::time_point due = timers_.begin()->first;
        changed_.wait_until(lock, due);
        continue;
      }
      lock.unlock();
      next();
      next = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<ProcessBase>> processes_;
  std::deque<Event> events_;
  std::multimap<Steady::time_point, std::function<void()>> timers_;
};

std::mutex metricsMutex;

std::map<std::string, std::shared_ptr<metrics::Metric>>* allMetrics() {
  static auto* const all = new std::map<std::string, std::shared_ptr<metrics::Metric>>;
  return all;
}

}  // namespace

std::string ID::generate(const std::string& prefix) {
  static std::mutex mutex;
  static std::map<std::string, int> counts;
  const std::lock_guard<std::mutex> lock(mutex);
  return prefix + "(" + std::to_string(++counts[prefix]) + ")";
}

UPID spawn(ProcessBase* process, bool /*manage*/) {
  return Loop::get()->spawn(process);
}

void terminate(const UPID& pid, bool inject) {
  Loop::get()->deliver(
      pid, [id = pid.id] { Loop::get()->end(id); }, inject);
}

void internal::deliver(const UPID& pid, std::function<void()> event) {
  Loop::get()->deliver(pid, std::move(event));
}

void timers::later(const Duration& duration, std::function<void()> f) {
  Loop::get()->later(duration, std::move(f));
}

namespace metrics {

Future<Nothing> internal::add(std::shared_ptr<Metric> metric) {
  const std::lock_guard<std::mutex> lock(metricsMutex);
  if (!allMetrics()->emplace(metric->name(), metric).second) {
    return Failure("Metric '" + metric->name() + "' was already added");
  }
  return Nothing();
}

Future<Nothing> remove(const Metric& metric) {
  const std::lock_guard<std::mutex> lock(metricsMutex);
  if (allMetrics()->erase(metric.name()) == 0) {
    return Failure("Metric '" + metric.name() + "' not found");
  }
  return Nothing();
}

std::map<std::string, double> snapshot(const Duration& timeout) {
  std::map<std::string, std::shared_ptr<Metric>> copied;
  {
    const std::lock_guard<std::mutex> lock(metricsMutex);
    copied = *allMetrics();
  }
  std::map<std::string, Future<double>> asked;
  for (const auto& metric : copied) {
    asked.emplace(metric.first, metric.second->value());
  }
  const auto until = Steady::now() + timeout.chrono();
  std::map<std::string, double> values;
  for (const auto& one : asked) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Steady::now());
    if (one.second.await(Duration(left.count())) && one.second.isReady()) {
      values[one.first] = one.second.get();
    }
  }
  return values;
}

}  // namespace metrics
}  // namespace process
