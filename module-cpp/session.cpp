#include "session.hpp"

#include <dlfcn.h>

#include <process/dispatch.hpp>
#include <process/metrics/metrics.hpp>
#include <process/process.hpp>
#include <stout/stringify.hpp>
#include <utility>

#include "dcecore.h"
#ifdef DCE_MESOS_HAS_PULL_GAUGE
#include <process/metrics/pull_gauge.hpp>
using Gauge = process::metrics::PullGauge;
#else
#include <process/metrics/gauge.hpp>
using Gauge = process::metrics::Gauge;
#endif

using process::Failure;
using process::Future;
using process::Promise;

namespace dce {
namespace {

constexpr std::chrono::seconds kPatience(10);  // with a core that opens or ends
constexpr std::chrono::seconds kFresh(1);      // for so long the core is not asked for its metrics again

class Relay : public process::Process<Relay> {
 public:
  Relay() : ProcessBase(process::ID::generate("dce-relay")) {}
};

// libdcecore.so in the folder of this library.
std::string besideTheModule() {
  Dl_info here = {};
  const std::string file = dladdr(reinterpret_cast<void*>(&besideTheModule), &here) != 0 ? here.dli_fname : "";
  return file.substr(0, file.rfind('/') + 1) + "libdcecore.so";
}

// The parameters for the core, and the path of the core apart.
Try<JSON::Object> read(const mesos::Parameters& parameters, std::string* path) {
  JSON::Object config;
  for (const mesos::Parameter& parameter : parameters.parameter()) {
    if (!config.values.emplace(parameter.key(), JSON::String(parameter.value())).second) {
      return Error("The parameter '" + parameter.key() + "' is given twice; leave one of them out");
    }
  }
  const auto core = config.values.find("core");
  *path = core == config.values.end() ? besideTheModule() : core->second.as<JSON::String>().value;
  config.values.erase("core");
  return config;
}

}  // namespace

Try<std::shared_ptr<Session>> Session::join(const std::string& module, const mesos::Parameters& parameters,
                                            const Opener& opener) {
  static auto* const mutex = new std::mutex;  // these are never freed: other threads may outlive the statics
  static auto* const current = new std::weak_ptr<Session>;
  static auto* const sharedConfig = new std::string;

  std::string path;
  const Try<JSON::Object> parsed = read(parameters, &path);
  if (parsed.isError()) {
    return Error(parsed.error());
  }
  const std::string config = stringify(parsed.get());
  const std::lock_guard<std::mutex> lock(*mutex);
  std::shared_ptr<Session> session = current->lock();
  if (session == nullptr) {
    const auto worker = Worker::start([opener, path, config] { return opener(path, config); }, kPatience);
    if (worker.isError()) {
      return Error(worker.error());
    }
    session.reset(new Session);
    session->worker_ = worker.get();
    session->relay_ = process::spawn(new Relay, true);
    session->addMetrics();
    *current = session;
    *sharedConfig = path + " " + config;
  } else if (*sharedConfig != path + " " + config) {
    return Error("The hook and the isolator share one core and must have the same parameters; one has " + *sharedConfig +
                 " and the other " + path + " " + config);
  }
  session->call("attach", {{"module", JSON::String(module)}}, Seconds(10));
  return session;
}

Session::~Session() {
  for (const auto& remove : removeMetrics_) {
    remove();
  }
  worker_.reset();                    // after this the core completes nothing more
  process::terminate(relay_, false);  // after what was dispatched to it
}

void Session::removed(const std::string& framework, const std::string& executor) {
  hookTime_.start();
  worker_->removed(framework, executor);
  hookTime_.stop();
}

Future<Reply> Session::call(const std::string& op, const JSON::Object& input, const Duration& timeout) {
  const auto promise = std::make_shared<Promise<Reply>>();
  const process::UPID relay = relay_;
  worker_->call(
      op, stringify(input), std::chrono::milliseconds(static_cast<int64_t>(timeout.ms())),
      [relay, promise](const Reply& reply) { process::dispatch(relay, [promise, reply] { promise->set(reply); }); });
  // The core keeps the deadline; this is for a core that hangs.
  return promise->future().after(timeout + Seconds(1), [op](const Future<Reply>&) -> Future<Reply> {
    return Reply{DCE_TIMEOUT, "the core does not answer to " + op};
  });
}

// One operation serves all metrics of a snapshot.
Future<double> Session::metric(const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (asked_ == decltype(asked_)() || now - asked_ > kFresh) {
    asked_ = now;
    metrics_ = call("metrics", {}, Seconds(1));
  }
  return metrics_.then([key](const Reply& reply) -> Future<double> {
    const Try<JSON::Object> object = JSON::parse<JSON::Object>(reply.body);
    if (reply.status != DCE_OK || object.isError()) {
      return Failure("The core has no metrics: " + reply.body);
    }
    const auto number = object.get().at<JSON::Number>(key);
    return number.isSome() ? Future<double>(number.get().as<double>()) : Failure("The core has no metric " + key);
  });
}

void Session::addMetrics() {
  const std::weak_ptr<Session> weak = shared_from_this();  // a snapshot may be under way when the session ends
  const auto add = [this](const auto& metric) {
    process::metrics::add(metric);
    removeMetrics_.push_back([metric] { process::metrics::remove(metric); });
  };
  const auto gauge = [&](const std::string& name, const std::function<Future<double>(Session*)>& value) {
    add(Gauge("dce/" + name, [weak, value]() -> Future<double> {
      const auto self = weak.lock();
      return self == nullptr ? Failure("The module ended") : value(self.get());
    }));
  };
  for (const std::string key :
       {"containers_reaped", "orphans_found", "reap_failures", "engine_up", "hierarchy_enforced", "core_panics"}) {
    gauge(key, [key](Session* self) { return self->metric(key); });
  }
  gauge("queue_length", [](Session* self) {
    const auto waiting = static_cast<double>(self->worker_->waiting());
    return self->metric("owed").then([waiting](double owed) { return waiting + owed; });
  });
  add(hookTime_);
}

}  // namespace dce
