#include "worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <future>
#include <thread>

#include "mock_core.hpp"

namespace dce {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::_;
using testing::HasSubstr;
using testing::NiceMock;
using testing::StrictMock;

Worker::Opener gives(const std::shared_ptr<Core>& core) {
  return [core]() -> Try<std::shared_ptr<Core>> { return core; };
}

std::shared_ptr<Worker> started(const std::shared_ptr<Core>& core) {
  return Worker::start(gives(core), seconds(5)).get();
}

TEST(Worker, SaysWhyTheCoreDidNotOpen) {
  const auto worker = Worker::start([]() -> Try<std::shared_ptr<Core>> { return Error("no such file"); }, seconds(5));
  ASSERT_TRUE(worker.isError());
  EXPECT_EQ("no such file", worker.error());
}

TEST(Worker, DoesNotWaitForACoreThatHangsWhileItOpens) {
  auto release = std::make_shared<std::promise<void>>();
  auto gone = std::make_shared<std::promise<void>>();
  const auto begin = std::chrono::steady_clock::now();
  const auto worker = Worker::start(
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
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
  release->set_value();
  EXPECT_EQ(std::future_status::ready, gone->get_future().wait_for(seconds(5))) << "the late core must be closed";
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
  const auto worker = Worker::start(
      [&]() -> Try<std::shared_ptr<Core>> {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        opened.set_value({std::this_thread::get_id(), mask});
        return std::shared_ptr<Core>(core);
      },
      seconds(5));
  ASSERT_TRUE(worker.isSome());
  worker.get()->call("metrics", "{}", milliseconds(7), [](const Reply&) {});
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

TEST(Worker, HandsOverRemovedExecutorsInOrderAndCountsThem) {
  Pending pending;
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit("hook.removed", _, milliseconds(30000), _)).Times(2).WillRepeatedly(pending.keep());
  const auto worker = started(core);
  const auto before = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  worker->removed("f \"1\"", "e$(touch x)");
  worker->removed("f", "e2");
  ASSERT_TRUE(pending.await(2));
  EXPECT_EQ(2u, worker->waiting());
  const auto input = JSON::parse<JSON::Object>(pending.what(0).substr(std::string("hook.removed ").size())).get();
  EXPECT_EQ("f \"1\"", input.at<JSON::String>("framework").get().value);
  EXPECT_EQ("e$(touch x)", input.at<JSON::String>("executor").get().value);
  EXPECT_GE(input.at<JSON::Number>("at_ns").get().as<int64_t>(), before);
  EXPECT_THAT(pending.what(1), HasSubstr("\"e2\""));
  pending.end(0, DCE_OK, "{}");
  pending.end(1, DCE_PANIC, "it panicked");
  EXPECT_EQ(0u, worker->waiting());
}

TEST(Worker, GivesTheCoreAWindowAndPutsCallsFirst) {
  Pending pending;
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit(_, _, _, _)).WillRepeatedly(pending.keep());
  const auto worker = started(core);
  for (int i = 0; i < 200; ++i) {
    worker->removed("f", "e" + std::to_string(i));
  }
  ASSERT_TRUE(pending.await(64));
  worker->call("prepare", "{}", seconds(1), [](const Reply&) {});
  ASSERT_TRUE(pending.await(65));
  EXPECT_EQ("prepare {}", pending.what(64));
  EXPECT_EQ(65u, pending.size()) << "more than the window is under way";
  EXPECT_EQ(200u, worker->waiting());
  pending.end(64, DCE_OK, "{}");
  for (size_t i = 0; i < 64; ++i) {
    pending.end(i, DCE_OK, "{}");
  }
  ASSERT_TRUE(pending.await(129));
  for (size_t i = 65; i < 129; ++i) {
    pending.end(i, DCE_OK, "{}");
  }
  ASSERT_TRUE(pending.await(193));
}

TEST(Worker, DropsWhatExceedsItsMemoryAndOrdersAReconcile) {
  std::atomic<int> taken{0};
  std::promise<void> reconciled;
  std::promise<void> go;
  const auto gone = go.get_future().share();
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit("first", _, _, _))
      .WillOnce([gone](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        gone.wait();
        done(Reply{DCE_OK, "{}"});
      });
  EXPECT_CALL(*core, submit("hook.removed", _, _, _))
      .WillRepeatedly([&](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        ++taken;
        done(Reply{DCE_OK, "{}"});
      });
  EXPECT_CALL(*core, submit("reconcile", "{}", _, _))
      .WillOnce([&](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        reconciled.set_value();
        done(Reply{DCE_OK, "{}"});
      });
  const auto worker = started(core);
  worker->call("first", "{}", seconds(1), [](const Reply&) {});
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) {
    worker->removed("f", megabyte);
  }
  EXPECT_EQ(15u, worker->waiting()) << "16 MiB hold 15 of a MiB and a little";
  go.set_value();
  ASSERT_EQ(std::future_status::ready, reconciled.get_future().wait_for(seconds(10)));
  EXPECT_EQ(15, taken);
}

TEST(Worker, EndsCallsThatWereNotMade) {
  std::promise<void> busy;
  std::promise<void> go;
  const auto gone = go.get_future().share();
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit("first", _, _, _))
      .WillOnce([&busy, gone](const std::string&, const std::string&, milliseconds, const Core::Done& done) {
        busy.set_value();
        gone.wait();
        done(Reply{DCE_OK, "{}"});
      });
  std::promise<Reply> second;
  {
    auto worker = started(core);
    worker->call("first", "{}", seconds(1), [](const Reply&) {});
    worker->call("second", "{}", seconds(1), [&second](const Reply& reply) { second.set_value(reply); });
    busy.get_future().wait();
    std::thread ending([&worker] { worker.reset(); });
    std::this_thread::sleep_for(milliseconds(50));
    go.set_value();
    ending.join();
  }
  EXPECT_EQ(DCE_CLOSED, second.get_future().get().status);
}

TEST(Worker, LeavesACoreThatHangsToItself) {
  auto release = std::make_shared<std::promise<void>>();
  const auto released = release->get_future().share();
  auto core = std::make_shared<NiceMock<MockCore>>();
  ON_CALL(*core, submit(_, _, _, _))
      .WillByDefault(
          [released](const std::string&, const std::string&, milliseconds, const Core::Done&) { released.wait(); });
  const std::weak_ptr<Core> weak = core;
  auto worker = Worker::start(gives(core), milliseconds(100)).get();
  core.reset();
  worker->call("hangs", "{}", seconds(1), [](const Reply&) {});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    worker->removed("f", "e");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(1)) << "the hook waits for the core";
  worker.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(3));
  release->set_value();
  while (!weak.expired() && std::chrono::steady_clock::now() - begin < seconds(10)) {
    std::this_thread::sleep_for(milliseconds(1));
  }
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
          worker->removed("f", "e");
          worker->call("usage", "{}", seconds(1), [](const Reply&) {});
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (taken < 400 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(0u, worker->waiting());
  }
  EXPECT_EQ(400, taken);
}

}  // namespace
}  // namespace dce
