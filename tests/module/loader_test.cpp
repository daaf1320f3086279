#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include "core.hpp"
#include "dcecore.h"

namespace dce {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// A file with these bytes, for as long as it lives.
class File {
 public:
  explicit File(const std::string& content) : path(testing::TempDir() + "/dce-loader-" + std::to_string(getpid())) {
    std::ofstream(path, std::ios::binary) << content;
  }
  ~File() { unlink(path.c_str()); }
  const std::string path;
};

std::string refusal(const std::string& path, const std::string& config = "{}") {
  const auto core = load(path, config);
  return core.isError() ? core.error() : "";
}

TEST(Loader, OpensACoreAndBringsRepliesBack) {
  const auto core = load(DCE_STUB, R"({"docker_host":""})");
  ASSERT_TRUE(core.isSome()) << core.error();
  std::promise<Reply> reply;
  core.get()->submit("metrics", "{}", std::chrono::seconds(5), [&reply](const Reply& r) { reply.set_value(r); });
  const Reply got = reply.get_future().get();
  EXPECT_EQ(DCE_OK, got.status);
  EXPECT_THAT(got.body, HasSubstr("containers_reaped"));
}

TEST(Loader, KeepsTheDeadline) {
  const auto core = load(DCE_STUB, R"({"docker_host":"stub:hang"})");
  ASSERT_TRUE(core.isSome()) << core.error();
  std::promise<Reply> reply;
  core.get()->submit("cleanup", "{}", std::chrono::milliseconds(20), [&reply](const Reply& r) { reply.set_value(r); });
  EXPECT_EQ(DCE_TIMEOUT, reply.get_future().get().status);
}

TEST(Loader, EndsWhatIsUnderWayWithTheCore) {
  auto core = load(DCE_STUB, R"({"docker_host":"stub:hang"})");
  ASSERT_TRUE(core.isSome()) << core.error();
  Reply reply{-1, ""};
  core.get()->submit("cleanup", "{}", std::chrono::hours(1), [&reply](const Reply& r) { reply = r; });
  core = std::shared_ptr<Core>();
  EXPECT_EQ(DCE_CLOSED, reply.status);
}

TEST(Loader, EndsWhatIsNotAccepted) {
  const auto core = load(DCE_STUB, R"({"docker_host":"stub:busy"})");
  ASSERT_TRUE(core.isSome()) << core.error();
  Reply reply{-1, ""};
  core.get()->submit("cleanup", "{}", std::chrono::seconds(1), [&reply](const Reply& r) { reply = r; });
  EXPECT_EQ(DCE_BUSY, reply.status);
  EXPECT_THAT(reply.body, HasSubstr("cleanup"));
}

TEST(Loader, RefusesAnotherVersion) {
  EXPECT_THAT(refusal(DCE_STUB_VERSION),
              AllOf(HasSubstr(DCE_STUB_VERSION), HasSubstr("version 7"), HasSubstr("version 2"), HasSubstr("'core'")));
}

TEST(Loader, NamesTheMissingSymbol) {
  EXPECT_THAT(refusal(DCE_STUB_SYMBOL), AllOf(HasSubstr(DCE_STUB_SYMBOL), HasSubstr("lacks dce_core_submit;")));
}

TEST(Loader, RefusesALibraryThatIsNoCore) {
  EXPECT_THAT(refusal(DCE_MODULE), AllOf(HasSubstr("no core of dce"), HasSubstr("dce_core_abi_version dce_core_open")));
}

TEST(Loader, RefusesWhatIsNotThere) {
  EXPECT_THAT(refusal("/nowhere/libdcecore.so"), AllOf(HasSubstr("/nowhere/libdcecore.so"), HasSubstr("can't be read")));
  EXPECT_NE("", refusal(testing::TempDir()));
  EXPECT_NE("", refusal(""));
}

TEST(Loader, RefusesWhatIsNoLibrary) {
  const File file(std::string(4096, 'x'));
  EXPECT_THAT(refusal(file.path), HasSubstr("not a whole shared library"));
  const File empty("");
  EXPECT_THAT(refusal(empty.path), HasSubstr("not a whole shared library"));
}

// The dynamic linker is killed by SIGBUS at most of these.
TEST(Loader, RefusesATruncatedCore) {
  const std::string whole = bytes(DCE_STUB);
  ASSERT_GT(whole.size(), 8192u);
  for (size_t percent = 0; percent < 100; percent += 3) {
    const File file(whole.substr(0, whole.size() * percent / 100));
    EXPECT_NE("", refusal(file.path)) << percent << " % were loaded";
  }
  const File file(whole.substr(0, whole.size() - 1));
  EXPECT_THAT(refusal(file.path), HasSubstr("not a whole shared library"));
}

TEST(Loader, PassesOnWhyACoreDidNotOpen) {
  EXPECT_EQ("The stub does not open", refusal(DCE_STUB, R"({"docker_host":"stub:fail-open"})"));
  EXPECT_EQ("The parameter \"dockerhost\" is unknown", refusal(DCE_STUB, R"({"dockerhost":""})"));
  EXPECT_THAT(refusal(DCE_STUB, R"({"docker_host":"stub:panic-open"})"),
              AllOf(HasSubstr(DCE_STUB), HasSubstr("does not open"), HasSubstr("'core'")));
}

}  // namespace
}  // namespace dce
