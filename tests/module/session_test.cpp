#include "session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <process/metrics/metrics.hpp>
#include <thread>

#include "dcecore.h"
#include "mock_core.hpp"
#include "parameters.hpp"

namespace dce {
namespace {

using testing::_;
using testing::AllOf;
using testing::HasSubstr;
using testing::NiceMock;

const char kMetrics[] = R"({"containers_reaped":3,"orphans_found":2,"reap_failures":1,"core_panics":4,"queue_length":5,
                            "engine_up":1,"hierarchy_enforced":0,"pods":6,"pods_memory_bytes":8589934592})";

struct SessionTest : testing::Test {
  SessionTest() { ON_CALL(*core, submit(_, _, _, _)).WillByDefault(ends(DCE_OK, "{}")); }

  Session::Opener opener() {
    return [this](const std::string& path, const std::string& config) -> Try<std::shared_ptr<Core>> {
      ++opens;
      opened = path + " " + config;
      return std::shared_ptr<Core>(core);
    };
  }

  std::shared_ptr<Session> join(const Given& given) { return Session::join("hook", parameters(given), opener()).get(); }

  std::shared_ptr<NiceMock<MockCore>> core = std::make_shared<NiceMock<MockCore>>();
  std::string opened;
  int opens = 0;
};

TEST_F(SessionTest, GivesTheCoreItsParameters) {
  const auto session = join({{"core", "/opt/core.so"}, {"grace", "10secs"}, {"dry_run", "\"quoted\""}});
  EXPECT_EQ(R"(/opt/core.so {"dry_run":"\"quoted\"","grace":"10secs"})", opened);
}

TEST_F(SessionTest, LooksForTheCoreBesideTheModule) {
  const auto session = join({});
  EXPECT_THAT(opened, testing::EndsWith("libdcecore.so {}"));
}

TEST_F(SessionTest, RefusesAParameterThatIsGivenTwice) {
  const auto session = Session::join("hook", parameters({{"grace", "1secs"}, {"grace", "2secs"}}), opener());
  ASSERT_TRUE(session.isError());
  EXPECT_THAT(session.error(), AllOf(HasSubstr("'grace'"), HasSubstr("twice")));
  EXPECT_EQ(0, opens);
}

TEST_F(SessionTest, IsOneForHookAndIsolatorAndEndsWithTheLast) {
  Pending pending;
  EXPECT_CALL(*core, submit("attach", IsJson(R"({"module":"hook"})"), _, _)).Times(2).WillRepeatedly(pending.keep());
  EXPECT_CALL(*core, submit("attach", IsJson(R"({"module":"isolator"})"), _, _)).WillOnce(pending.keep());
  auto hook = join({{"grace", "1secs"}});
  auto isolator = Session::join("isolator", parameters({{"grace", "1secs"}}), opener()).get();
  EXPECT_EQ(hook, isolator);
  EXPECT_EQ(1, opens);
  ASSERT_TRUE(pending.await(2));
  hook.reset();
  EXPECT_EQ(2, core.use_count()) << "the core must live for the isolator";
  isolator.reset();
  EXPECT_EQ(1, core.use_count()) << "the core must end with its last owner";
  const auto again = join({{"grace", "2secs"}});
  EXPECT_EQ(2, opens);
  ASSERT_TRUE(pending.await(3));
}

TEST_F(SessionTest, RefusesOtherParametersForTheSecondModule) {
  const auto hook = join({{"grace", "1secs"}});
  const auto isolator = Session::join("isolator", parameters({{"grace", "2secs"}}), opener());
  ASSERT_TRUE(isolator.isError());
  EXPECT_THAT(isolator.error(), AllOf(HasSubstr("same parameters"), HasSubstr("1secs"), HasSubstr("2secs")));
}

TEST_F(SessionTest, IsStrictWherePodsMustBeChecked) {
  EXPECT_FALSE(join({})->strict());
  EXPECT_FALSE(join({{"use_hierarchy", "enforce"}})->strict());
  EXPECT_TRUE(join({{"use_hierarchy", "require"}})->strict());
}

TEST_F(SessionTest, RunsWhatIsChainedOnTheEventLoop) {
  std::thread::id core_thread;
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("usage", IsJson(R"({"container":"c"})"), std::chrono::milliseconds(60500), _))
      .WillOnce([&core_thread](const std::string&, const std::string&, std::chrono::milliseconds, const Core::Done& done) {
        std::thread foreign([done] {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          done(Reply{DCE_OK, "reply"});
        });
        core_thread = foreign.get_id();
        foreign.join();
      });
  const auto session = join({});
  std::thread::id chained;
  const auto reply = session->call("usage", {{"container", "c"}}, Milliseconds(60500)).then([&chained](const Reply& got) {
    chained = std::this_thread::get_id();
    return got.body;
  });
  ASSERT_TRUE(reply.await(Seconds(60)));
  EXPECT_EQ("reply", reply.get());
  EXPECT_NE(core_thread, chained);
  EXPECT_NE(std::this_thread::get_id(), chained);
}

TEST_F(SessionTest, GivesUpOnACoreThatBreaksItsDeadline) {
  Pending pending;
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("prepare", _, _, _)).WillOnce(pending.keep());
  const auto session = join({});
  const auto reply = session->call("prepare", {}, Milliseconds(10));
  ASSERT_TRUE(reply.await(Seconds(60)));
  EXPECT_EQ(DCE_TIMEOUT, reply.get().status);
  EXPECT_THAT(reply.get().body, HasSubstr("prepare"));
  pending.end(0, DCE_OK, "{}");  // the late end is no harm
}

TEST_F(SessionTest, ShowsTheMetricsAndRemovesThem) {
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("hook.removed", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("metrics", "{}", _, _)).WillRepeatedly(ends(DCE_OK, kMetrics));
  auto session = join({});
  session->removed("f", "e");
  auto metrics = process::metrics::snapshot(Seconds(5));
  EXPECT_EQ(3, metrics.at("dce/containers_reaped"));
  EXPECT_EQ(2, metrics.at("dce/orphans_found"));
  EXPECT_EQ(1, metrics.at("dce/reap_failures"));
  EXPECT_EQ(4, metrics.at("dce/core_panics"));
  EXPECT_EQ(1, metrics.at("dce/engine_up"));
  EXPECT_EQ(0, metrics.at("dce/hierarchy_enforced"));
  EXPECT_EQ(5, metrics.at("dce/queue_length"));
  EXPECT_GT(metrics.at("dce/hook_us"), 0);
  EXPECT_EQ(6, metrics.at("dce/pods"));
  EXPECT_EQ(8589934592.0, metrics.at("dce/pods_memory_bytes"));
  EXPECT_EQ(10u, metrics.size());
  session.reset();
  EXPECT_TRUE(process::metrics::snapshot(Seconds(5)).empty());
}

TEST_F(SessionTest, LeavesOutMetricsThatTheCoreDoesNotHave) {
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("metrics", _, _, _)).WillRepeatedly(ends(DCE_OK, R"({"engine_up":0,"queue_length":"many"})"));
  const auto session = join({});
  const auto metrics = process::metrics::snapshot(Seconds(5));
  EXPECT_EQ(1u, metrics.size());
  EXPECT_EQ(0, metrics.at("dce/engine_up"));
}

TEST_F(SessionTest, LeavesOutMetricsWhenTheCorePanics) {
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillRepeatedly(ends(DCE_OK, "{}"));
  EXPECT_CALL(*core, submit("metrics", _, _, _)).WillRepeatedly(ends(DCE_PANIC, "a panic"));
  const auto session = join({});
  EXPECT_TRUE(process::metrics::snapshot(Seconds(5)).empty());
}

}  // namespace
}  // namespace dce
