#include "hook.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mock_core.hpp"
#include "parameters.hpp"

namespace dce {
namespace {

using testing::_;
using testing::HasSubstr;
using testing::StrictMock;

TEST(CleanupHook, NotesTheExecutorAndNeverFails) {
  Pending pending;
  auto core = std::make_shared<StrictMock<MockCore>>();
  EXPECT_CALL(*core, submit("attach", _, _, _)).WillOnce(ends(DCE_PANIC, "a panic"));
  EXPECT_CALL(*core, submit("hook.removed", _, _, _)).WillOnce(pending.keep());
  CleanupHook hook(Session::join("hook", parameters({}), [&core](const std::string&, const std::string&) {
                     return Try<std::shared_ptr<Core>>(core);
                   }).get());
  mesos::FrameworkInfo framework;
  framework.mutable_id()->set_value("framework");
  mesos::ExecutorInfo executor;
  executor.mutable_executor_id()->set_value("executor");
  executor.mutable_framework_id()->set_value("another");
  EXPECT_TRUE(hook.slaveRemoveExecutorHook(framework, executor).isSome());
  ASSERT_TRUE(pending.await(1));
  EXPECT_THAT(pending.what(0), HasSubstr(R"("executor":"executor","framework":"framework")"));
  pending.end(0, DCE_UNAVAILABLE, "no engine");
}

}  // namespace
}  // namespace dce
