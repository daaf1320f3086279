// A core for units: a mock, and ways to end operations now or later.
#pragma once

#include <gmock/gmock.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stout/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"
#include "dcecore.h"

namespace dce {

class MockCore : public Core {
 public:
  MOCK_METHOD(void, submit, (const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Done done),
              (override));
};

// Ends an operation at once.
inline auto ends(int32_t status, const std::string& body) {
  return [=](const std::string&, const std::string&, std::chrono::milliseconds, const Core::Done& done) {
    done(Reply{status, body});
  };
}

// Matches JSON by what it says and not by how it is written.
MATCHER_P(IsJson, expected, "") {
  const Try<JSON::Value> wanted = JSON::parse(expected);
  const Try<JSON::Value> got = JSON::parse(arg);
  std::ostringstream a;
  std::ostringstream b;
  if (wanted.isError() || got.isError()) {
    *result_listener << "no JSON";
    return false;
  }
  a << wanted.get();
  b << got.get();
  return a.str() == b.str();
}

// Keeps operations until they are ended from outside.
class Pending {
 public:
  auto keep() {
    return [this](const std::string& op, const std::string& input, std::chrono::milliseconds, const Core::Done& done) {
      const std::lock_guard<std::mutex> lock(mutex_);
      kept_.push_back({op + " " + input, done});
      changed_.notify_all();
    };
  }

  // Waits until n operations were kept; false after a minute.
  bool await(size_t n) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return kept_.size() >= n; });
  }

  size_t size() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kept_.size();
  }

  std::string what(size_t i) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kept_.at(i).first;
  }

  void end(size_t i, int32_t status, const std::string& body) {
    Core::Done done;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done = std::exchange(kept_.at(i).second, nullptr);
    }
    done(Reply{status, body});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, Core::Done>> kept_;
};

}  // namespace dce
