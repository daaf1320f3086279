#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mock_core.hpp"
#include "modules.hpp"
#include "parameters.hpp"

namespace dce {
namespace {

using testing::_;
using testing::StrictMock;

struct HookTest : testing::Test {
  HookTest() {
    EXPECT_CALL(*core, submit("attach", _, _, _)).WillOnce(attached.keep());
    const auto opener = [this](const std::string&, const std::string&) { return Try<std::shared_ptr<Core>>(core); };
    session = Session::join("hook", parameters({}), opener).get();
    hook.reset(newHook(session));
    EXPECT_TRUE(attached.await(1));
    attached.end(0, DCE_PANIC, "a panic");
    framework.mutable_id()->set_value("framework");
    executor.mutable_executor_id()->set_value("executor");
    executor.mutable_framework_id()->set_value("framework");
    add(executor.mutable_labels(), "io.dce.oom.service", "web");
    add(executor.mutable_labels(), "io.dce.oom.limit", "pod");
    status.mutable_executor_id()->set_value("executor");
    status.set_state(mesos::TASK_FAILED);
  }

  static void add(mesos::Labels* labels, const std::string& key, const std::string& value) {
    mesos::Label* const label = labels->add_labels();
    label->set_key(key);
    label->set_value(value);
  }

  // The labels that the hook makes of those of the status, or "none".
  std::string decorated(const std::string& of = "framework") {
    mesos::FrameworkID id;
    id.set_value(of);
    const auto result = hook->slaveTaskStatusDecorator(id, status);
    std::string all;
    for (const mesos::Label& label : result.isSome() ? result.get().labels().labels() : std::vector<mesos::Label>()) {
      all += label.key() + "=" + label.value() + " ";
    }
    return result.isSome() ? all : "none";
  }

  Pending attached;
  std::shared_ptr<StrictMock<MockCore>> core = std::make_shared<StrictMock<MockCore>>();
  std::shared_ptr<Session> session;
  std::unique_ptr<mesos::Hook> hook;
  mesos::FrameworkInfo framework;
  mesos::ExecutorInfo executor;
  mesos::TaskStatus status;
};

TEST_F(HookTest, NotesTheExecutorAndNeverFails) {
  Pending pending;
  EXPECT_CALL(*core, submit("hook.removed", _, _, _)).WillOnce(pending.keep());
  executor.mutable_framework_id()->set_value("another");
  const auto before = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  EXPECT_TRUE(hook->slaveRemoveExecutorHook(framework, executor).isSome());
  ASSERT_TRUE(pending.await(1));
  const auto input = JSON::parse<JSON::Object>(pending.what(0).substr(std::string("hook.removed ").size())).get();
  EXPECT_EQ("framework", input.at<JSON::String>("framework").get().value);
  EXPECT_EQ("executor", input.at<JSON::String>("executor").get().value);
  EXPECT_GE(input.at<JSON::Number>("at_ns").get().as<int64_t>(), before);
  pending.end(0, DCE_UNAVAILABLE, "no engine");
}

TEST_F(HookTest, DecoratesTheLastStatusOfAnExecutorUntilItIsRemoved) {
  EXPECT_EQ("none", decorated()) << "nothing is known";
  session->attribute(executor);
  EXPECT_EQ("io.dce.oom.service=web io.dce.oom.limit=pod ", decorated());
  add(status.mutable_labels(), "own", "1");
  EXPECT_EQ("own=1 io.dce.oom.service=web io.dce.oom.limit=pod ", decorated()) << "the agent replaces the labels";
  EXPECT_EQ("none", decorated("another")) << "the same executor id of another framework";
  for (const mesos::TaskState state :
       {mesos::TASK_STAGING, mesos::TASK_STARTING, mesos::TASK_RUNNING, mesos::TASK_KILLING}) {
    status.set_state(state);
    EXPECT_EQ("none", decorated()) << state;
  }
  for (const mesos::TaskState state : {mesos::TASK_KILLED, mesos::TASK_LOST, mesos::TASK_GONE, mesos::TASK_FINISHED}) {
    status.set_state(state);
    EXPECT_NE("none", decorated()) << state;
  }
  Pending pending;
  EXPECT_CALL(*core, submit("hook.removed", _, _, _)).WillOnce(pending.keep());
  hook->slaveRemoveExecutorHook(framework, executor);
  EXPECT_EQ("none", decorated()) << "a new run of the same id";
  ASSERT_TRUE(pending.await(1));
  pending.end(0, DCE_OK, "{}");
}

TEST_F(HookTest, KeepsABoundedNumberOfAttributions) {
  for (int i = 0; i < 2000; ++i) {
    executor.mutable_executor_id()->set_value("executor" + std::to_string(i));
    session->attribute(executor);
  }
  status.mutable_executor_id()->set_value("executor999");
  EXPECT_NE("none", decorated());
  status.mutable_executor_id()->set_value("executor1000");
  EXPECT_EQ("none", decorated());
}

}  // namespace
}  // namespace dce
