#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <future>
#include <thread>

#include "core.hpp"
#include "mock_core.hpp"

namespace dce {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::_;
using testing::HasSubstr;
using testing::NiceMock;
using testing::StrictMock;

// Longer than a machine stands still, and shorter than a test may take.
constexpr seconds kForEver(60);

template <typename Condition>
void waitUntil(const Condition& condition) {
  for (const auto begin = std::chrono::steady_clock::now();
       !condition() && std::chrono::steady_clock::now() - begin < kForEver;) {
    std::this_thread::sleep_for(milliseconds(1));
  }
}

Core::Opener gives(const std::shared_ptr<Core>& core) {
  return [core]() -> Try<std::shared_ptr<Core>> { return core; };
}

std::shared_ptr<Core> started(const std::shared_ptr<Core>& core, milliseconds patience = kForEver) {
  return onThread(gives(core), patience).get();
}

TEST(Worker, SaysWhyTheCoreDidNotOpen) {
  const auto worker = onThread([]() -> Try<std::shared_ptr<Core>> { return Error("no such file"); }, kForEver);
  ASSERT_TRUE(worker.isError());
  EXPECT_EQ("no such file", worker.error());
}

TEST(Worker, DoesNotWaitForACoreThatHangsWhileItOpens) {
  auto release = std::make_shared<std::promise<void>>();
  auto gone = std::make_shared<std::promise<void>>();
  const auto worker = onThread(
      [release, gone]() -> Try<std::shared_ptr<Core>> {
        release->get_future().wait();
        return std::shared_ptr<Core>(new NiceMock<MockCore>, [gone](Core* core) {
          delete core;
          gone->set_value();
        });
      },
      milliseconds(50));
  EXPECT_TRUE(worker.isError());
  EXPECT_THAT(worker.error(), HasSubstr("within 50 ms"));
  release->set_value();  // before this whoever waits for it would wait for ever
  EXPECT_EQ(std::future_status::ready, gone->get_future().wait_for(kForEver)) << "the late core must be closed";
}

TEST(Worker, OpensAndCallsOnOneThreadWithAsynchronousSignalsBlocked) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  std::promise<std::pair<std::thread::id, sigset_t>> opened;
  std::promise<std::thread::id> called;
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit("metrics", "{}", milliseconds(7), _))
      .WillOnce([&](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        called.set_value(std::this_thread::get_id());
        done(Reply{DCE_OK, "{}"});
      });
  const auto worker = onThread(
      [&]() -> Try<std::shared_ptr<Core>> {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        opened.set_value({std::this_thread::get_id(), mask});
        return std::shared_ptr<Core>(core);
      },
      kForEver);
  ASSERT_TRUE(worker.isSome());
  worker.get()->submit("metrics", "{}", milliseconds(7), [](const Reply&) {});
  const auto [thread, mask] = opened.get_future().get();
  EXPECT_EQ(thread, called.get_future().get());
  EXPECT_NE(thread, std::this_thread::get_id());
  for (const int asynchronous : {SIGUSR1, SIGTERM, SIGCHLD, SIGPROF, SIGURG, SIGPIPE, SIGINT}) {
    EXPECT_EQ(1, sigismember(&mask, asynchronous)) << asynchronous;
  }
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    EXPECT_EQ(0, sigismember(&mask, own)) << own;
  }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < 32; ++signal) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << "the caller's mask must stay";
  }
}

// A core that does not come back from its first operation before it is let go.
struct Stuck {
  explicit Stuck(milliseconds patience = kForEver) {
    EXPECT_CALL(*core, submit("first", _, _, _))
        .WillOnce([this, gone = go.get_future().share()](const std::string&, const std::string&, milliseconds,
                                                         const Core::Done& done) {
          busy.set_value();
          gone.wait();
          done(Reply{DCE_OK, "{}"});
        });
    worker = started(core, patience);
    worker->submit("first", "{}", seconds(1), [](const Reply&) {});
    busy.get_future().wait();
  }

  std::promise<void> busy;
  std::promise<void> go;
  std::shared_ptr<StrictMock<MockCore>> core = std::make_shared<StrictMock<MockCore>>();
  std::shared_ptr<Core> worker;
};

TEST(Worker, MakesCallsInOrderAndBeforeRemovedExecutors) {
  Pending pending;
  Stuck stuck;
  EXPECT_CALL(*stuck.core, submit(_, _, _, _)).WillRepeatedly(pending.keep());
  for (const char* op : {"hook.removed", "hook.removed", "recover", "prepare"}) {
    stuck.worker->submit(op, "{}", seconds(1), [](const Reply&) {});
  }
  stuck.go.set_value();
  ASSERT_TRUE(pending.await(4));
  EXPECT_EQ("recover {}", pending.what(0));
  EXPECT_EQ("prepare {}", pending.what(1));
  EXPECT_EQ("hook.removed {}", pending.what(2));
}

TEST(Worker, IsBoundedAndKeepsRoomForCalls) {
  std::atomic<int> taken{0};
  std::atomic<int> refused{0};
  Stuck stuck;
  EXPECT_CALL(*stuck.core, submit(_, _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  for (int i = 0; i < (1 << 15) + 3; ++i) {
    stuck.worker->submit("hook.removed", "{}", seconds(1),
                         [&](const Reply& reply) { ++(reply.status == DCE_BUSY ? refused : taken); });
  }
  EXPECT_EQ(3, refused) << "what does not fit ends at once";
  stuck.worker->submit("prepare", "{}", seconds(1), [&](const Reply& reply) { EXPECT_EQ(DCE_OK, reply.status); });
  stuck.go.set_value();
  waitUntil([&taken] { return taken == 1 << 15; });
  EXPECT_EQ(1 << 15, taken);
}

TEST(Worker, EndsCallsThatWereNotMade) {
  std::atomic<int> closed{0};
  Stuck stuck(seconds(2));  // it has to open within these, and after these is left to itself
  for (const char* op : {"prepare", "hook.removed"}) {
    stuck.worker->submit(op, "{}", seconds(1), [&](const Reply& reply) { closed += reply.status == DCE_CLOSED ? 1 : 0; });
  }
  stuck.worker.reset();
  EXPECT_EQ(0, closed) << "the core has not ended";
  stuck.go.set_value();
  waitUntil([&closed] { return closed == 2; });
  EXPECT_EQ(2, closed);
}

TEST(Worker, LeavesACoreThatHangsToItself) {
  auto release = std::make_shared<std::promise<void>>();
  const auto released = release->get_future().share();
  auto core = std::make_shared<NiceMock<MockCore>>();
  ON_CALL(*core, submit(_, _, _, _))
      .WillByDefault(
          [released](const std::string&, const std::string&, milliseconds, const Core::Done&) { released.wait(); });
  const std::weak_ptr<Core> weak = core;
  auto worker = started(core, seconds(2));
  core.reset();
  worker->submit("hangs", "{}", seconds(1), [](const Reply&) {});
  for (int i = 0; i < 1000; ++i) {
    worker->submit("hook.removed", "{}", seconds(1), [](const Reply&) {});
  }
  worker.reset();
  release->set_value();  // before this whoever waits for it would wait for ever
  waitUntil([&weak] { return weak.expired(); });
  EXPECT_TRUE(weak.expired()) << "a core that hung and goes on must end";
}

TEST(Worker, IsForManyThreads) {
  std::atomic<int> taken{0};
  auto core = std::make_shared<NiceMock<MockCore>>();
  ON_CALL(*core, submit(_, _, _, _))
      .WillByDefault([&taken](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        std::thread([&taken, done] {
          done(Reply{DCE_OK, "{}"});
          ++taken;
        }).detach();
      });
  {
    const auto worker = started(core);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&worker] {
        for (int i = 0; i < 50; ++i) {
          for (const char* op : {"hook.removed", "usage"}) {
            worker->submit(op, "{}", seconds(1), [](const Reply&) {});
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    waitUntil([&taken] { return taken == 400; });
  }
  EXPECT_EQ(400, taken);
}

}  // namespace
}  // namespace dce
