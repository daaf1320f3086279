#include "session.hpp"

#include <dlfcn.h>

#include <process/dispatch.hpp>
#include <process/metrics/metrics.hpp>
#include <stout/stringify.hpp>

#include "dcecore.h"

using process::Failure;
using process::Future;

namespace dce {
namespace {

constexpr std::chrono::seconds kPatience(10);  // with a core that opens or ends
constexpr size_t kAttributions = 1000;         // of ended executors that are not removed yet

// libdcecore.so in the folder of this library.
std::string besideTheModule() {
  Dl_info here = {};
  const std::string file = dladdr(reinterpret_cast<void*>(&besideTheModule), &here) != 0 ? here.dli_fname : "";
  return file.substr(0, file.rfind('/') + 1) + "libdcecore.so";
}

}  // namespace

Try<std::shared_ptr<Session>> Session::join(const std::string& kind, const mesos::Parameters& parameters,
                                            const Opener& opener) {
  static auto* const mutex = new std::mutex;  // these are never freed: other threads may outlive the statics
  static auto* const current = new std::weak_ptr<Session>;
  static auto* const shared = new std::string;  // its core and config

  JSON::Object given;
  for (const mesos::Parameter& parameter : parameters.parameter()) {
    if (!given.values.emplace(parameter.key(), JSON::String(parameter.value())).second) {
      return Error("The parameter '" + parameter.key() + "' is given twice; leave one of them out");
    }
  }
  const auto core = given.at<JSON::String>("core");
  const auto hierarchy = given.at<JSON::String>("use_hierarchy");
  given.values.erase("core");
  const std::string path = core.isSome() ? core.get().value : besideTheModule();
  const std::string config = stringify(given);

  const std::lock_guard<std::mutex> lock(*mutex);
  std::shared_ptr<Session> session = current->lock();
  if (session == nullptr) {
    const auto opened = onThread([opener, path, config] { return opener(path, config); }, kPatience);
    if (opened.isError()) {
      return Error(opened.error());
    }
    session.reset(new Session(opened.get(), hierarchy.isSome() && hierarchy.get().value == "require"));
    session->addMetrics();
    *current = session;
    *shared = path + " " + config;
  } else if (*shared != path + " " + config) {
    return Error("The hook and the isolator share one core and must have the same parameters; one has " + *shared +
                 " and the other " + path + " " + config);
  }
  session->call("attach", {{"module", JSON::String(kind)}}, Seconds(10));
  return session;
}

Session::~Session() {
  for (const auto& gauge : gauges_) {
    process::metrics::remove(gauge);
  }
  process::metrics::remove(hookTime_);
  core_.reset();                      // after this the core completes nothing more
  process::terminate(relay_, false);  // after what was dispatched to it
}

void Session::removed(const std::string& framework, const std::string& executor) {
  hookTime_.start();
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  const JSON::Object input = {{"framework", JSON::String(framework)},
                              {"executor", JSON::String(executor)},
                              {"at_ns", JSON::Number(now.count())}};
  core_->submit("hook.removed", stringify(input), kPatience, [](const Reply&) {});  // the core logs what fails
  const std::lock_guard<std::mutex> lock(mutex_);
  attributions_.erase({framework, executor});
  hookTime_.stop();
}

Future<Reply> Session::call(const std::string& op, const JSON::Object& input, const Duration& timeout) {
  const auto promise = std::make_shared<process::Promise<Reply>>();
  const auto done = [relay = relay_, promise](const Reply& reply) {
    process::dispatch(relay, [promise, reply] { promise->set(reply); });
  };
  core_->submit(op, stringify(input), std::chrono::milliseconds(static_cast<int64_t>(timeout.ms())), done);
  // The core keeps the deadline; this is for a core that hangs.
  return promise->future().after(timeout + Seconds(1), [op](const Future<Reply>&) -> Future<Reply> {
    return Reply{DCE_TIMEOUT, "the core does not answer to " + op};
  });
}

void Session::attribute(const mesos::ExecutorInfo& ended) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (attributions_.size() < kAttributions) {
    attributions_[{ended.framework_id().value(), ended.executor_id().value()}] = ended.labels();
  }
}

Option<mesos::Labels> Session::attribution(const std::string& framework, const std::string& executor) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = attributions_.find({framework, executor});
  return found == attributions_.end() ? Option<mesos::Labels>(None()) : found->second;
}

void Session::addMetrics() {
  for (const std::string key :
       {"containers_reaped", "orphans_found", "reap_failures", "queue_length", "engine_up", "hierarchy_enforced",
        "core_panics", "pods", "pods_cpu_seconds", "pods_throttled_seconds", "pods_memory_bytes", "pods_cache_bytes",
        "pods_pids", "pods_block_bytes", "pods_network_bytes"}) {
    // A snapshot may be under way when the session ends.
    gauges_.emplace_back("dce/" + key, [weak = weak_from_this(), key]() -> Future<double> {
      const auto self = weak.lock();
      if (self == nullptr) {
        return Failure("The module ended");
      }
      return self->call("metrics", {}, Seconds(1)).then([key](const Reply& reply) -> Future<double> {
        const Try<JSON::Object> all = JSON::parse<JSON::Object>(reply.body);
        const auto number = all.isSome() ? all.get().at<JSON::Number>(key) : Error(all.error());
        return number.isSome() ? Future<double>(number.get().as<double>()) : Failure("The core has no metric " + key);
      });
    });
    process::metrics::add(gauges_.back());
  }
  process::metrics::add(hookTime_);
}

}  // namespace dce
