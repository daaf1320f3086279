// Hosts the test variant of the module as an agent does, and drives it from standard input.
//
//   dce_module_host MODULES [FLAG...]    a file with the JSON of --modules, or that JSON itself, and flags of an agent, which
//                                        the core reads off the command line: --work_dir=DIR
//
// Prints {"ready":true} when the modules are loaded; where they can't be, the reason on standard error, and exits with 1.
// Then each line is a command, a JSON array of strings (numbers and lists where it says so), and each gets one line back, a
// JSON object with "n" (the command's number, from 1), "command", "us" (how long the call held the caller) and, when its
// future is done, "ms" (how long that took) and "failure" where there is one. Answers come when they are there, not in order.
//
//   ["hook", framework, executor]                                     Hook::slaveRemoveExecutorHook
//   ["status", framework, executor, state]      Hook::slaveTaskStatusDecorator, state a number -> "labels" that the status gets
//   ["recover", [[container, sandbox, framework, executor, pid], ...], [orphan, ...]]
//   ["prepare", container, sandbox, framework, executor, command, cpus, mem in MB]      -> "environment"
//   ["isolate", container, pid]
//   ["update", container, cpus, mem in MB, cpus limit, mem limit]     a limit of -1 is infinite
//   ["usage", container]                                              -> "statistics"
//   ["cleanup", container]
//   ["metrics"]                                                       -> "metrics", as in /metrics/snapshot
//   ["signals"]                                                       -> "signals": how often each signal was caught, and
//                                                                        "kept": whether the handlers are still the host's
//   ["profile", milliseconds]                                         SIGPROF every so often from now on; 0 stops it
//   ["unload"]                                                        deletes the hooks and isolators
//   ["quit"]                                                          as the end of standard input: unload, and exit with 0
//
// As in an agent, SIGTERM, SIGCHLD and SIGPROF have handlers before the modules are loaded and SIGUSR1 after, SIGUSR1's with
// SA_SIGINFO and without SA_ONSTACK (src/slave/main.cpp and os::internal::configureSignal in stout/os/posix/signals.hpp).
#include <signal.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <limits>
#include <mesos/resources.hpp>
#include <mutex>
#include <process/metrics/metrics.hpp>
#include <stout/json.hpp>
#include <stout/protobuf.hpp>
#include <stout/stringify.hpp>

#include "host_load.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using mesos::slave::ContainerLaunchInfo;
using process::Future;

// Signals.

std::array<std::atomic<int>, 65> caught;

void count(int number, siginfo_t* /*info*/, void* /*context*/) {
  ++caught[static_cast<size_t>(number)];
}

void handle(int number) {
  struct sigaction action = {};
  action.sa_sigaction = count;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(number, &action, nullptr);
}

const std::map<std::string, int> kHandled = {
    {"SIGTERM", SIGTERM}, {"SIGCHLD", SIGCHLD}, {"SIGPROF", SIGPROF}, {"SIGUSR1", SIGUSR1}};

// Answers.

std::string text(const JSON::Value& value) {
  return value.is<JSON::String>() ? value.as<JSON::String>().value : "";
}

double number(const JSON::Value& value) {
  return value.is<JSON::Number>() ? value.as<JSON::Number>().as<double>() : 0;
}

double since(Clock::time_point begin, double unit) {
  return std::chrono::duration<double>(Clock::now() - begin).count() * unit;
}

void print(const JSON::Object& answer) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  std::cout << JSON::Value(answer) << std::endl;
}

void describe(const Nothing& /*value*/, JSON::Object* /*answer*/) {}

void describe(const Option<ContainerLaunchInfo>& info, JSON::Object* answer) {
  if (info.isSome()) {
    JSON::Object variables;
    for (const auto& variable : info.get().environment().variables()) {
      variables.values[variable.name()] = JSON::String(variable.value());
    }
    answer->values["environment"] = variables;
  }
}

void describe(const mesos::ResourceStatistics& statistics, JSON::Object* answer) {
  answer->values["statistics"] = JSON::protobuf(statistics);
}

// Prints the answer when the future is done.
template <typename T>
void answerLater(JSON::Object answer, Clock::time_point begin, const Future<T>& future) {
  answer.values["us"] = since(begin, 1e6);
  future.onAny([answer, begin](const Future<T>& done) mutable {
    answer.values["ms"] = since(begin, 1e3);
    if (done.isFailed()) {
      answer.values["failure"] = JSON::String(done.failure());
    } else {
      describe(done.get(), &answer);
    }
    print(answer);
  });
}

// Arguments as Mesos has them.

mesos::ContainerID containerId(const JSON::Value& value) {
  mesos::ContainerID id;
  id.set_value(text(value));
  return id;
}

mesos::ExecutorInfo executorInfo(const JSON::Value& framework, const JSON::Value& executor) {
  mesos::ExecutorInfo info;
  info.mutable_framework_id()->set_value(text(framework));
  info.mutable_executor_id()->set_value(text(executor));
  return info;
}

std::vector<mesos::Resource> resources(const JSON::Value& cpus, const JSON::Value& mem) {
  std::vector<mesos::Resource> all(2);
  all[0].set_name("cpus");
  all[0].mutable_scalar()->set_value(number(cpus));
  all[1].set_name("mem");
  all[1].mutable_scalar()->set_value(number(mem));
  return all;
}

mesos::Value::Scalar limit(const JSON::Value& value) {
  mesos::Value::Scalar scalar;
  scalar.set_value(number(value) < 0 ? std::numeric_limits<double>::infinity() : number(value));
  return scalar;
}

// Commands.

struct Host {
  std::shared_ptr<Loaded> modules;

  void run(const std::vector<JSON::Value>& words, JSON::Object answer) {
    const std::string command = text(words[0]);
    const auto word = [&words](size_t i) { return i < words.size() ? words[i] : JSON::Value(); };
    const auto begin = Clock::now();
    if (command == "hook") {
      mesos::FrameworkInfo framework;
      framework.mutable_id()->set_value(text(word(1)));
      const mesos::ExecutorInfo executor = executorInfo(word(1), word(2));
      const auto called = Clock::now();
      for (const auto& hook : modules->hooks) {
        const Try<Nothing> result = hook->slaveRemoveExecutorHook(framework, executor);
        if (result.isError()) {
          answer.values["failure"] = JSON::String(result.error());
        }
      }
      answer.values["us"] = since(called, 1e6);
      print(answer);
      return;
    }
    if (command == "status") {
      decorate(word(1), word(2), word(3), &answer);
      print(answer);
      return;
    }
    if (command == "metrics") {
      JSON::Object values;
      for (const auto& metric : process::metrics::snapshot(Seconds(5))) {
        values.values[metric.first] = metric.second;
      }
      answer.values["metrics"] = values;
      print(answer);
      return;
    }
    if (command == "signals" || command == "profile" || command == "unload") {
      system(command, word(1), &answer);
      print(answer);
      return;
    }
    if (modules->isolators.empty()) {
      answer.values["failure"] = "no isolator is loaded";
      print(answer);
    }
    for (const auto& isolator : modules->isolators) {
      isolate(isolator.get(), command, word, answer, begin);
    }
  }

  // As HookManager::slaveTaskStatusDecorator in src/hook/manager.cpp.
  void decorate(const JSON::Value& frameworkId, const JSON::Value& executor, const JSON::Value& state,
                JSON::Object* answer) {
    mesos::FrameworkID framework;
    framework.set_value(text(frameworkId));
    mesos::TaskStatus status;
    status.mutable_executor_id()->set_value(text(executor));
    status.set_state(static_cast<mesos::TaskState>(static_cast<int>(number(state))));
    const auto called = Clock::now();
    for (const auto& hook : modules->hooks) {
      const Result<mesos::TaskStatus> result = hook->slaveTaskStatusDecorator(framework, status);
      if (result.isSome() && result.get().has_labels()) {
        *status.mutable_labels() = result.get().labels();
      }
    }
    answer->values["us"] = since(called, 1e6);
    JSON::Object labels;
    for (const mesos::Label& label : status.labels().labels()) {
      labels.values[label.key()] = JSON::String(label.value());
    }
    answer->values["labels"] = labels;
  }

  void system(const std::string& command, const JSON::Value& argument, JSON::Object* answer) {
    if (command == "unload") {
      modules->isolators.clear();
      modules->hooks.clear();
    } else if (command == "profile") {
      struct itimerval timer = {};
      timer.it_interval.tv_usec = static_cast<suseconds_t>(number(argument) * 1000);
      timer.it_value = timer.it_interval;
      setitimer(ITIMER_PROF, &timer, nullptr);
    } else {
      JSON::Object counts;
      bool kept = true;
      for (const auto& one : kHandled) {
        struct sigaction now = {};
        sigaction(one.second, nullptr, &now);
        kept = kept && now.sa_sigaction == count;
        counts.values[one.first] = caught[static_cast<size_t>(one.second)].load();
      }
      answer->values["signals"] = counts;
      answer->values["kept"] = kept;
    }
  }

  template <typename Word>
  void isolate(mesos::slave::Isolator* isolator, const std::string& command, const Word& word, const JSON::Object& answer,
               Clock::time_point begin) {
    const mesos::ContainerID id = containerId(word(1));
    if (command == "recover") {
      std::vector<mesos::slave::ContainerState> states;
      for (const JSON::Value& one : list(word(1))) {
        const std::vector<JSON::Value> fields = list(one);
        mesos::slave::ContainerState state;
        if (fields.size() == 5) {
          *state.mutable_container_id() = containerId(fields[0]);
          state.set_directory(text(fields[1]));
          *state.mutable_executor_info() = executorInfo(fields[2], fields[3]);
          state.set_pid(static_cast<int64_t>(number(fields[4])));
        }
        states.push_back(state);
      }
      hashset<mesos::ContainerID> orphans;
      for (const JSON::Value& one : list(word(2))) {
        orphans.insert(containerId(one));
      }
      answerLater(answer, begin, isolator->recover(states, orphans));
    } else if (command == "prepare") {
      mesos::slave::ContainerConfig config;
      config.set_directory(text(word(2)));
      *config.mutable_executor_info() = executorInfo(word(3), word(4));
      config.mutable_command_info()->set_value(text(word(5)));
      config.mutable_command_info()->set_shell(true);
      *config.mutable_resources() = resources(word(6), word(7));
      answerLater(answer, begin, isolator->prepare(id, config));
    } else if (command == "isolate") {
      answerLater(answer, begin, isolator->isolate(id, static_cast<pid_t>(number(word(2)))));
    } else if (command == "update") {
      const mesos::slave::Limits limits = {{"cpus", limit(word(4))}, {"mem", limit(word(5))}};
      answerLater(answer, begin, isolator->update(id, resources(word(2), word(3)), limits));
    } else if (command == "usage") {
      answerLater(answer, begin, isolator->usage(id));
    } else if (command == "cleanup") {
      answerLater(answer, begin, isolator->cleanup(id));
    } else {
      JSON::Object unknown = answer;
      unknown.values["failure"] = JSON::String("the command " + command + " is unknown");
      print(unknown);
    }
  }

  static std::vector<JSON::Value> list(const JSON::Value& value) {
    return value.is<JSON::Array>() ? value.as<JSON::Array>().values : std::vector<JSON::Value>();
  }
};

std::string contents(const std::string& argument) {
  std::ifstream file(argument);
  return file ? std::string(std::istreambuf_iterator<char>(file), {}) : argument;
}

}  // namespace

int main(int argc, char** argv) {
  const Try<JSON::Object> manifest = JSON::parse<JSON::Object>(argc >= 2 ? contents(argv[1]) : "");
  if (manifest.isError()) {
    std::cerr << "usage: " << argv[0]
              << " MODULES [FLAG...], a file with the JSON of --modules or that JSON: " << manifest.error() << std::endl;
    return 2;
  }
  for (const int number : {SIGTERM, SIGCHLD, SIGPROF}) {
    handle(number);
  }
  const Try<std::shared_ptr<Loaded>> loaded = loadModules(manifest.get());
  if (loaded.isError()) {
    std::cerr << loaded.error() << std::endl;
    return 1;
  }
  handle(SIGUSR1);
  Host host{loaded.get()};
  print({{"ready", true}});
  std::string line;
  for (int n = 1; std::getline(std::cin, line); ++n) {
    const Try<JSON::Array> words = JSON::parse<JSON::Array>(line);
    if (words.isError() || words.get().values.empty()) {
      print({{"n", n}, {"failure", "a command is a JSON array that begins with its name"}});
    } else if (text(words.get().values[0]) == "quit") {
      break;
    } else {
      host.run(words.get().values, {{"n", n}, {"command", words.get().values[0]}});
    }
  }
  host.modules.reset();
  return 0;
}
