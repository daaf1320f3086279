#include "worker.hpp"

#include <glog/logging.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <stout/json.hpp>
#include <stout/stringify.hpp>
#include <thread>

#include "dcecore.h"

namespace dce {
namespace {

constexpr size_t kMaxBytes = 16 << 20;  // of removed executors that wait
constexpr size_t kWindow = 64;          // removed executors that the core has at a time
constexpr std::chrono::seconds kRemovedTimeout(30);

struct Call {
  std::string op;
  std::string input;
  std::chrono::milliseconds timeout;
  Core::Done done;

  size_t bytes() const { return sizeof(*this) + input.size(); }
};

}  // namespace

struct Worker::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Call> calls;
  std::deque<Call> removed;
  size_t bytes = 0;     // held by removed
  size_t underWay = 0;  // removed executors that the core has
  size_t dropped = 0;   // removed executors that did not fit
  bool stop = false;
  std::promise<Try<Nothing>> opened;
  std::promise<void> ended;

  void run(Opener opener) {
    // A guest: it and the threads it starts never preempt the agent when they wake up.
    const sched_param none = {};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    Try<std::shared_ptr<Core>> core = opener();
    opener = nullptr;  // what it holds ends before the worker
    opened.set_value(core.isError() ? Try<Nothing>(Error(core.error())) : Nothing());
    std::unique_lock<std::mutex> lock(mutex);
    while (core.isSome() && !stop) {
      const bool first = !calls.empty();
      if (!first && (removed.empty() || underWay >= kWindow)) {
        changed.wait(lock);
        continue;
      }
      const Call call = std::move(first ? calls.front() : removed.front());
      (first ? calls : removed).pop_front();
      if (!first) {
        taken(call);
      }
      lock.unlock();
      core.get()->submit(call.op, call.input, call.timeout, call.done);
      lock.lock();
    }
    lock.unlock();
    core = std::shared_ptr<Core>();   // ends it, and with it what is under way
    for (const Call& call : calls) {  // nobody adds to them any more
      call.done(Reply{DCE_CLOSED, "the module ends"});
    }
    removed.clear();  // they hold this state
    ended.set_value();
  }

  // Counts a removed executor that left its queue. After the last, a reconcile finds what was dropped.
  void taken(const Call& call) {
    bytes -= call.bytes();
    ++underWay;
    if (removed.empty() && dropped > 0) {
      LOG(WARNING) << "dce: too many executors were removed at once; what " << dropped << " of them left is looked for";
      dropped = 0;
      calls.push_back(Call{"reconcile", "{}", kRemovedTimeout, [](const Reply&) {}});
    }
  }
};

Try<std::shared_ptr<Worker>> Worker::start(const Opener& opener, std::chrono::milliseconds patience) {
  const auto state = std::make_shared<State>();
  auto opened = state->opened.get_future();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&all, own);  // what a thread does to itself must reach it
  }
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread inherits it
  std::thread(&State::run, state, opener).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (opened.wait_for(patience) != std::future_status::ready) {
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->stop = true;
    return Error("The core did not open within " + std::to_string(patience.count()) + " ms");
  }
  const Try<Nothing> result = opened.get();
  if (result.isError()) {
    return Error(result.error());
  }
  return std::shared_ptr<Worker>(new Worker(state, patience));
}

Worker::~Worker() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_one();
  if (state_->ended.get_future().wait_for(patience_) != std::future_status::ready) {
    LOG(WARNING) << "dce: the core did not end within " << patience_.count() << " ms and is left to itself";
  }
}

void Worker::removed(const std::string& framework, const std::string& executor) {
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  const JSON::Object input = {
      {"framework", JSON::String(framework)}, {"executor", JSON::String(executor)}, {"at_ns", JSON::Number(now.count())}};
  const auto state = state_;
  Call call{"hook.removed", stringify(input), kRemovedTimeout, [state](const Reply&) {
              const std::lock_guard<std::mutex> lock(state->mutex);
              --state->underWay;
              state->changed.notify_one();
            }};
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->bytes + call.bytes() > kMaxBytes) {
      ++state_->dropped;
      return;
    }
    state_->bytes += call.bytes();
    state_->removed.push_back(std::move(call));
  }
  state_->changed.notify_one();
}

void Worker::call(const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Core::Done done) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->calls.push_back(Call{op, input, timeout, std::move(done)});
  }
  state_->changed.notify_one();
}

size_t Worker::waiting() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->removed.size() + state_->underWay;
}

}  // namespace dce
