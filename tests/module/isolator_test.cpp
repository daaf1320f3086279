#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "mock_core.hpp"
#include "modules.hpp"
#include "parameters.hpp"

namespace dce {
namespace {

using process::Future;
using testing::_;
using testing::AllOf;
using testing::HasSubstr;
using testing::StrictMock;

mesos::ContainerID id(const std::string& value) {
  mesos::ContainerID container;
  container.set_value(value);
  return container;
}

mesos::Resource resource(const std::string& name, double value) {
  mesos::Resource one;
  one.set_name(name);
  one.mutable_scalar()->set_value(value);
  return one;
}

mesos::Value::Scalar scalar(double value) {
  mesos::Value::Scalar one;
  one.set_value(value);
  return one;
}

struct IsolatorTest : testing::Test {
  explicit IsolatorTest(const Given& given = {}) {
    EXPECT_CALL(*core, submit("attach", IsJson(R"({"module":"isolator"})"), _, _)).WillOnce(attached.keep());
    const auto opener = [this](const std::string&, const std::string&) { return Try<std::shared_ptr<Core>>(core); };
    session = Session::join("isolator", parameters(given), opener).get();
    isolator.reset(newIsolator(session));
    EXPECT_TRUE(attached.await(1));
    attached.end(0, DCE_OK, "{}");
  }

  // The operation is asked for once, with this input, and ends so.
  void expect(const std::string& op, const std::string& input, int32_t status, const std::string& body) {
    EXPECT_CALL(*core, submit(op, IsJson(input), _, _)).WillOnce(ends(status, body));
  }

  template <typename T>
  static std::string outcome(const Future<T>& future) {
    if (!future.await(Seconds(60))) {
      return "pending";
    }
    return future.isFailed() ? future.failure() : "ready";
  }

  static mesos::slave::ContainerConfig config() {
    mesos::slave::ContainerConfig all;
    all.set_directory("/var/lib/mesos/slaves/S/frameworks/F/executors/E/runs/c");
    all.set_user("nobody");
    all.mutable_executor_info()->mutable_framework_id()->set_value("F");
    all.mutable_executor_info()->mutable_executor_id()->set_value("E");
    mesos::Label* const label = all.mutable_executor_info()->mutable_labels()->add_labels();
    label->set_key("source");
    label->set_value("role.env.name.0");
    all.mutable_command_info()->set_value("./dce-executor");
    all.mutable_command_info()->set_shell(true);
    *all.mutable_command_info()->add_arguments() = "a \"b\"";
    *all.mutable_resources() = {resource("cpus", 0.5), resource("cpus", 0.25), resource("mem", 64)};
    *all.mutable_limits() = {{"mem", scalar(128)}, {"cpus", scalar(std::numeric_limits<double>::infinity())}};
    // What a framework may write into numbers that the core has no use for.
    *all.mutable_executor_info()->mutable_resources() = {resource("cpus", std::numeric_limits<double>::quiet_NaN())};
    all.mutable_task_info()->mutable_health_check()->set_delay_seconds(std::numeric_limits<double>::quiet_NaN());
    return all;
  }

  Pending attached;
  std::shared_ptr<Session> session;
  std::shared_ptr<StrictMock<MockCore>> core = std::make_shared<StrictMock<MockCore>>();
  std::unique_ptr<mesos::slave::Isolator> isolator;
};

struct StrictIsolatorTest : IsolatorTest {
  StrictIsolatorTest() : IsolatorTest({{"use_hierarchy", "require"}}) {}
};

const char kPrepare[] =
    R"({"container":"c","config":{"directory":"/var/lib/mesos/slaves/S/frameworks/F/executors/E/runs/c","user":"nobody",
  "executor_info":{"framework_id":{"value":"F"},"executor_id":{"value":"E"},
    "labels":{"labels":[{"key":"source","value":"role.env.name.0"}]}},
  "command_info":{"value":"./dce-executor","shell":true,"arguments":["a \"b\""]},
  "resources":[{"name":"cpus","scalar":{"value":0.5}},{"name":"cpus","scalar":{"value":0.25}},
    {"name":"mem","scalar":{"value":64.0}}],
  "limits":{"cpus":{"value":-1.0},"mem":{"value":128.0}}}})";

TEST_F(IsolatorTest, PrepareGivesTheExecutorWhatTheCoreSays) {
  expect("prepare", kPrepare, DCE_OK,
         R"({"environment":{"variables":[{"name":"DCE_CGROUP_PARENT","value":"/mesos/c"},{"name":"X","value":""}]}})");
  const auto info = isolator->prepare(id("c"), config());
  ASSERT_EQ("ready", outcome(info));
  ASSERT_TRUE(info.get().isSome());
  const auto& variables = info.get().get().environment().variables();
  ASSERT_EQ(2u, variables.size());
  EXPECT_EQ("DCE_CGROUP_PARENT", variables[0].name());
  EXPECT_EQ("/mesos/c", variables[0].value());
  EXPECT_EQ("X", variables[1].name());
}

TEST_F(IsolatorTest, PrepareFailsTheLaunchWithTheSentenceOfARefusal) {
  expect("prepare", kPrepare, DCE_REFUSED, "use_hierarchy of /mesos/c is 0");
  EXPECT_EQ("use_hierarchy of /mesos/c is 0", outcome(isolator->prepare(id("c"), config())));
}

TEST_F(IsolatorTest, PrepareLetsTheLaunchGoOnWhereTheCoreFails) {
  for (const int32_t status : {DCE_INVALID, DCE_TIMEOUT, DCE_UNAVAILABLE, DCE_BUSY, DCE_CLOSED, DCE_FAILED, DCE_PANIC}) {
    expect("prepare", kPrepare, status, R"({"environment":{}})");
    const auto info = isolator->prepare(id("c"), config());
    ASSERT_EQ("ready", outcome(info)) << status;
    EXPECT_TRUE(info.get().isNone()) << status;
  }
  for (const char* garbage : {"", "no JSON", "[]", R"({"environment":3})", R"({"environment":{"variables":[{}]}})"}) {
    expect("prepare", kPrepare, DCE_OK, garbage);
    const auto info = isolator->prepare(id("c"), config());
    ASSERT_EQ("ready", outcome(info)) << garbage;
    EXPECT_TRUE(info.get().isNone()) << garbage;
  }
}

TEST_F(IsolatorTest, PrepareOfAnEmptyConfigIsWhole) {
  expect("prepare", R"({"container":"c","config":{"executor_info":{}}})", DCE_OK, "{}");
  EXPECT_EQ("ready", outcome(isolator->prepare(id("c"), {})));
}

TEST_F(StrictIsolatorTest, PrepareFailsWhatMayBeAPodWhereTheCoreCannotCheckIt) {
  for (const int32_t status : {DCE_INVALID, DCE_TIMEOUT, DCE_UNAVAILABLE, DCE_BUSY, DCE_CLOSED, DCE_FAILED, DCE_PANIC}) {
    expect("prepare", kPrepare, status, "what went wrong");
    EXPECT_THAT(outcome(isolator->prepare(id("c"), config())),
                AllOf(HasSubstr("use_hierarchy=require"), HasSubstr("what went wrong")))
        << status;
  }
  expect("prepare", kPrepare, DCE_OK, "no JSON");
  EXPECT_THAT(outcome(isolator->prepare(id("c"), config())), HasSubstr("use_hierarchy=require"));
  expect("prepare", kPrepare, DCE_OK, "{}");
  EXPECT_EQ("ready", outcome(isolator->prepare(id("c"), config())));
  expect("prepare", kPrepare, DCE_REFUSED, "use_hierarchy of /mesos/c is 0");
  EXPECT_EQ("use_hierarchy of /mesos/c is 0", outcome(isolator->prepare(id("c"), config())));
}

TEST_F(StrictIsolatorTest, PrepareFailsWhereTheCoreHangs) {
  Pending pending;
  EXPECT_CALL(*core, submit("prepare", _, std::chrono::milliseconds(5000), _)).WillOnce(pending.keep());
  EXPECT_THAT(outcome(isolator->prepare(id("c"), config())), HasSubstr("the core does not answer to prepare"));
  pending.end(0, DCE_OK, "{}");
}

TEST_F(StrictIsolatorTest, PrepareLetsOtherLaunchesGoOn) {
  EXPECT_CALL(*core, submit("prepare", _, _, _)).WillOnce(ends(DCE_PANIC, "a panic"));
  mesos::slave::ContainerConfig other = config();
  other.mutable_command_info()->set_value("sleep 1");
  EXPECT_EQ("ready", outcome(isolator->prepare(id("c"), other)));
}

TEST_F(IsolatorTest, RecoverTellsWhatLives) {
  expect("recover", R"({"states":[{"container_id":{"value":"c"},"directory":"/s","pid":42,
         "executor_info":{"executor_id":{"value":"E"},"framework_id":{"value":"F"}}}],"orphans":[{"value":"o"}]})",
         DCE_OK, "{}");
  mesos::slave::ContainerState state;
  *state.mutable_container_id() = id("c");
  state.set_directory("/s");
  state.set_pid(42);
  state.mutable_executor_info()->mutable_framework_id()->set_value("F");
  state.mutable_executor_info()->mutable_executor_id()->set_value("E");
  *state.mutable_executor_info()->mutable_resources() = {resource("cpus", std::numeric_limits<double>::infinity())};
  EXPECT_EQ("ready", outcome(isolator->recover({state}, {id("o")})));
}

TEST_F(IsolatorTest, RecoverNeverKeepsTheAgentFromStarting) {
  expect("recover", R"({"states":[],"orphans":[]})", DCE_PANIC, "a panic");
  EXPECT_EQ("ready", outcome(isolator->recover({}, {})));
}

TEST_F(IsolatorTest, UpdatePassesRequestsAndLimits) {
  expect("update", R"({"container":"c","config":{"executor_info":{},"resources":[{"name":"cpus","scalar":{"value":2.0}}],
                                         "limits":{"mem":{"value":-1.0}}}})",
         DCE_OK, "{}");
  EXPECT_EQ("ready", outcome(isolator->update(id("c"), mesos::Resources({resource("cpus", 2)}),
                                              {{"mem", scalar(std::numeric_limits<double>::infinity())}})));
  expect("update", R"({"container":"c","config":{"executor_info":{}}})", DCE_REFUSED, "too little memory");
  EXPECT_EQ("too little memory", outcome(isolator->update(id("c"), mesos::Resources())));
  expect("update", R"({"container":"c","config":{"executor_info":{}}})", DCE_UNAVAILABLE, "no file");
  EXPECT_EQ("ready", outcome(isolator->update(id("c"), mesos::Resources())));
}

TEST_F(IsolatorTest, UsageIsWhatTheCoreMeasured) {
  expect("usage", R"({"container":"c"})", DCE_OK,
         R"({"mem_rss_bytes":4096,"cpus_user_time_secs":1.5,"net_tx_dropped":18446744073709,"processes":3,
         "cpus_nr_throttled":7,"later":[]})");
  const auto usage = isolator->usage(id("c"));
  ASSERT_EQ("ready", outcome(usage));
  EXPECT_EQ(4096u, usage.get().mem_rss_bytes());
  EXPECT_EQ(18446744073709u, usage.get().net_tx_dropped());
  EXPECT_EQ(3u, usage.get().processes());
  EXPECT_EQ(7u, usage.get().cpus_nr_throttled());
  EXPECT_FALSE(usage.get().has_mem_cache_bytes());
  EXPECT_EQ(1.5, usage.get().cpus_user_time_secs());
  EXPECT_GT(usage.get().timestamp(), 1.6e9);
}

TEST_F(IsolatorTest, UsageIsEmptyWhereTheCoreFails) {
  for (const auto& [status, body] : std::vector<std::pair<int32_t, std::string>>{
           {DCE_TIMEOUT, "late"}, {DCE_REFUSED, "no"}, {DCE_OK, "no JSON"}, {DCE_OK, R"({"mem_rss_bytes":"many"})"}}) {
    expect("usage", R"({"container":"c"})", status, body);
    const auto usage = isolator->usage(id("c"));
    ASSERT_EQ("ready", outcome(usage)) << body;
    EXPECT_FALSE(usage.get().has_mem_rss_bytes()) << body;
  }
}

TEST_F(IsolatorTest, CleanupNeverFailsForWantOfACore) {
  for (const int32_t status : {DCE_OK, DCE_REFUSED, DCE_TIMEOUT, DCE_UNAVAILABLE, DCE_FAILED, DCE_PANIC}) {
    expect("attribute", R"({"container":"a \"b\" $(touch x) é"})", status, "{}");
    expect("cleanup", R"({"container":"a \"b\" $(touch x) é"})", status, "{}");
    EXPECT_EQ("ready", outcome(isolator->cleanup(id("a \"b\" $(touch x) é")))) << status;
  }
}

TEST_F(IsolatorTest, CleanupIsBoundedInTime) {
  Pending pending;
  EXPECT_CALL(*core, submit("attribute", _, std::chrono::milliseconds(1000), _)).WillOnce(pending.keep());
  EXPECT_CALL(*core, submit("cleanup", _, std::chrono::milliseconds(5000), _)).WillOnce(pending.keep());
  EXPECT_EQ("ready", outcome(isolator->cleanup(id("c")))) << "the core never answers";
  pending.end(0, DCE_OK, "{}");
  pending.end(1, DCE_OK, "{}");
}

// The agent sends the terminal status as soon as the isolators are through.
TEST_F(IsolatorTest, CleanupKeepsWhatTheKernelKilledBeforeItEnds) {
  expect("attribute", R"({"container":"c"})", DCE_OK,
         R"({"executor_id":{"value":"E"},"framework_id":{"value":"F"},"labels":{"labels":[{"key":"k","value":"v"}]}})");
  expect("cleanup", R"({"container":"c"})", DCE_UNAVAILABLE, "no engine");
  EXPECT_EQ("ready", outcome(isolator->cleanup(id("c"))));
  const auto labels = session->attribution("F", "E");
  ASSERT_TRUE(labels.isSome());
  ASSERT_EQ(1u, labels.get().labels().size());
  EXPECT_EQ("v", labels.get().labels()[0].value());

  for (const auto& [status, body] : std::vector<std::pair<int32_t, std::string>>{
           {DCE_OK, "{}"}, {DCE_OK, "no JSON"}, {DCE_OK, R"({"executor_id":"X"})"}, {DCE_PANIC, "a panic"}}) {
    expect("attribute", R"({"container":"d"})", status, body);
    expect("cleanup", R"({"container":"d"})", DCE_OK, "{}");
    EXPECT_EQ("ready", outcome(isolator->cleanup(id("d")))) << body;
    EXPECT_TRUE(session->attribution("", "").isNone()) << body;
  }
}

TEST_F(IsolatorTest, LeavesTheRestToTheAgent) {
  EXPECT_FALSE(isolator->supportsNesting());
  EXPECT_FALSE(isolator->supportsStandalone());
  EXPECT_EQ("ready", outcome(isolator->isolate(id("c"), 1)));
  EXPECT_TRUE(isolator->watch(id("c")).isPending());
  EXPECT_EQ("ready", outcome(isolator->status(id("c"))));
}

}  // namespace
}  // namespace dce
