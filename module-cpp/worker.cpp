// The one thread that makes every call into the core, and the queues in front of it.
#include <glog/logging.h>
#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <stout/nothing.hpp>
#include <thread>

#include "core.hpp"
#include "dcecore.h"

namespace dce {
namespace {

constexpr size_t kMost = 1 << 15;  // that wait in a queue; an ID has at most 255 bytes (NAME_MAX)

struct Call {
  std::string op;
  std::string input;
  std::chrono::milliseconds timeout;
  Core::Done done;
};

// Shared with the thread, which outlives a worker whose core hangs.
struct State {
  std::mutex mutex;  // never held while something is called
  std::condition_variable changed;
  std::deque<Call> calls;
  std::deque<Call> removed;  // executors, which have time
  bool stop = false;
  std::promise<Try<Nothing>> opened;
  std::promise<void> ended;

  void run(Core::Opener opener) {
    // A guest: it and the threads it starts never preempt the agent when they wake up.
    const sched_param none = {};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    Try<std::shared_ptr<Core>> core = opener();
    opener = nullptr;  // what it holds ends before the worker
    opened.set_value(core.isError() ? Try<Nothing>(Error(core.error())) : Nothing());
    for (std::unique_lock<std::mutex> lock(mutex); core.isSome(); lock.lock()) {
      changed.wait(lock, [this] { return stop || !calls.empty() || !removed.empty(); });
      if (stop) {
        break;
      }
      std::deque<Call>& queue = calls.empty() ? removed : calls;
      const Call call = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      core.get()->submit(call.op, call.input, call.timeout, call.done);
    }
    core = std::shared_ptr<Core>();  // ends it, and with it what is under way
    calls.insert(calls.end(), removed.begin(), removed.end());
    for (const Call& call : calls) {  // nobody adds to them any more
      call.done(Reply{DCE_CLOSED, "the module ends"});
    }
    ended.set_value();
  }
};

class Worker final : public Core {
 public:
  Worker(std::shared_ptr<State> state, std::chrono::milliseconds patience)
      : state_(std::move(state)), patience_(patience) {}

  ~Worker() override {
    {
      const std::lock_guard<std::mutex> lock(state_->mutex);
      state_->stop = true;
    }
    state_->changed.notify_one();
    if (state_->ended.get_future().wait_for(patience_) != std::future_status::ready) {
      LOG(WARNING) << "dce: the core did not end within " << patience_.count() << " ms and is left to itself";
    }
  }

  void submit(const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Done done) override {
    Call call{op, input, timeout, std::move(done)};
    std::unique_lock<std::mutex> lock(state_->mutex);
    std::deque<Call>& queue = op == "hook.removed" ? state_->removed : state_->calls;
    const bool fits = queue.size() < kMost;
    if (fits) {
      queue.push_back(std::move(call));
    }
    lock.unlock();
    state_->changed.notify_one();
    if (!fits) {
      call.done(Reply{DCE_BUSY, "too many operations wait for the core"});
    }
  }

 private:
  const std::shared_ptr<State> state_;
  const std::chrono::milliseconds patience_;
};

}  // namespace

Try<std::shared_ptr<Core>> onThread(const Core::Opener& opener, std::chrono::milliseconds patience) {
  const auto state = std::make_shared<State>();
  const std::shared_ptr<Core> worker = std::make_shared<Worker>(state, patience);
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
    return Error("The core did not open within " + std::to_string(patience.count()) + " ms; start the agent again");
  }
  const Try<Nothing> result = opened.get();
  return result.isError() ? Try<std::shared_ptr<Core>>(Error(result.error())) : worker;
}

}  // namespace dce
