// The test variant of the module in the host program, with the C stub of the core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <stout/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string manifest(const std::string& library, const std::vector<std::string>& modules,
                     const std::map<std::string, std::string>& parameters) {
  JSON::Array given;
  for (const auto& one : parameters) {
    given.values.push_back(JSON::Object{{"key", JSON::String(one.first)}, {"value", JSON::String(one.second)}});
  }
  JSON::Array named;
  for (const std::string& module : modules) {
    named.values.push_back(JSON::Object{{"name", JSON::String(module)}, {"parameters", given}});
  }
  JSON::Array libraries;
  libraries.values.push_back(JSON::Object{{"file", JSON::String(library)}, {"modules", named}});
  std::ostringstream text;
  text << JSON::Value(JSON::Object{{"libraries", libraries}});
  return text.str();
}

const char kHook[] = "org_apache_mesos_ComposePodCleanupHook";
const char kIsolator[] = "org_apache_mesos_ComposePodIsolator";

std::string both(const std::string& host, const std::string& core = DCE_STUB) {
  return manifest(DCE_MODULE, {kHook, kIsolator}, {{"core", core}, {"docker_host", host}});
}

// A host program: its input, its output, its standard error.
class Host {
 public:
  explicit Host(const std::string& modules) {
    int in[2];
    int out[2];
    error_ = testing::TempDir() + "/dce-host-" + std::to_string(getpid()) + ".err";
    if (pipe(in) != 0 || pipe(out) != 0 || (pid_ = fork()) < 0) {
      throw std::runtime_error("no pipe or no process");
    }
    if (pid_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) {
        close(fd);
      }
      if (freopen(error_.c_str(), "w", stderr) != nullptr) {
        execl(DCE_HOST, DCE_HOST, modules.c_str(), static_cast<char*>(nullptr));
      }
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    in_ = fdopen(in[1], "w");
    out_ = fdopen(out[0], "r");
  }

  ~Host() {
    if (pid_ > 0) {
      end();
    }
    fclose(out_);
    unlink(error_.c_str());
  }

  void send(const std::string& line) {
    fputs((line + "\n").c_str(), in_);
    fflush(in_);
  }

  // The next line; empty at the end.
  std::string line() {
    char* text = nullptr;
    size_t size = 0;
    const ssize_t n = getline(&text, &size, out_);
    const std::string got(text == nullptr || n <= 0 ? "" : std::string(text, static_cast<size_t>(n) - 1));
    free(text);
    return got;
  }

  std::string ask(const std::string& command) {
    send(command);
    return line();
  }

  // Closes its input and returns its exit code, or minus the signal that killed it.
  int end() {
    fclose(in_);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::string said() const {
    std::ifstream file(error_);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  FILE* in_ = nullptr;
  FILE* out_ = nullptr;
  std::string error_;
};

// What a host that must not start says.
std::string refusal(const std::string& modules) {
  Host host(modules);
  EXPECT_EQ("", host.line());
  EXPECT_EQ(1, host.end());
  return host.said();
}

TEST(Host, DrivesHookAndIsolator) {
  Host host(both(""));
  EXPECT_EQ(R"({"ready":true})", host.line());
  EXPECT_THAT(host.ask(R"(["hook","f","e"])"), AllOf(HasSubstr(R"("n":1)"), testing::Not(HasSubstr("failure"))));
  EXPECT_THAT(host.ask(R"(["recover",[["c","/s","f","e",1]],["o"]])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["prepare","a \"b\" é","/s","f","e","./dce-executor",0.5,64])"),
              HasSubstr(R"("environment":{"DCE_CGROUP_PARENT":"a \"b\" é"})"));
  EXPECT_THAT(host.ask(R"(["isolate","c",1])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["update","c",1,64,-1,128])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["usage","c"])"), HasSubstr(R"("processes":3)"));
  EXPECT_THAT(host.ask(R"(["cleanup","c"])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["metrics"])"),
              AllOf(HasSubstr(R"("dce/containers_reaped":1)"), HasSubstr(R"("dce/engine_up":1)"), HasSubstr("dce/hook_us")));
  EXPECT_THAT(host.ask(R"(["teapot"])"), HasSubstr("unknown"));
  EXPECT_THAT(host.ask("teapot"), HasSubstr("JSON array"));
  EXPECT_THAT(host.ask(R"(["unload"])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["metrics"])"), HasSubstr(R"("metrics":{})"));
  EXPECT_EQ(0, host.end());
}

// The order in which an agent ends an executor: the isolators' cleanup, the status of its tasks, the removal.
TEST(Host, DecoratesTheStatusOfAnExecutorThatEnded) {
  Host host(both(""));
  host.line();
  const std::string failed = R"(["status","f","e",3])";
  EXPECT_THAT(host.ask(failed), HasSubstr(R"("labels":{})"));
  host.ask(R"(["cleanup","c"])");
  EXPECT_THAT(host.ask(failed), HasSubstr(R"("labels":{"io.dce.oom.service":"web"})"));
  EXPECT_THAT(host.ask(R"(["status","f","other",3])"), HasSubstr(R"("labels":{})"));
  EXPECT_THAT(host.ask(R"(["status","f","e",1])"), HasSubstr(R"("labels":{})"));
  host.ask(R"(["hook","f","e"])");
  EXPECT_THAT(host.ask(failed), HasSubstr(R"("labels":{})"));
  EXPECT_EQ(0, host.end());
}

TEST(Host, RunsWithTheHookAlone) {
  Host host(manifest(DCE_MODULE, {kHook}, {{"core", DCE_STUB}}));
  EXPECT_EQ(R"({"ready":true})", host.line());
  EXPECT_THAT(host.ask(R"(["hook","f","e"])"), testing::Not(HasSubstr("failure")));
  EXPECT_THAT(host.ask(R"(["cleanup","c"])"), HasSubstr("no isolator"));
  EXPECT_EQ(0, host.end());
}

TEST(Host, RefusesTheLaunchThatTheCoreRefuses) {
  Host host(both("stub:refuse"));
  host.line();
  EXPECT_THAT(host.ask(R"(["prepare","c","/s","f","e","x",1,64])"), HasSubstr(R"("failure":"The stub ends prepare)"));
  EXPECT_THAT(host.ask(R"(["cleanup","c"])"), testing::Not(HasSubstr("failure")));
  EXPECT_EQ(0, host.end());
}

TEST(Host, LivesWithACoreThatPanics) {
  Host host(both("stub:panic"));
  host.line();
  for (const char* command : {R"(["hook","f","e"])", R"(["recover",[],[]])", R"(["prepare","c","/s","f","e","x",1,64])",
                              R"(["update","c",1,64,1,64])", R"(["usage","c"])", R"(["cleanup","c"])"}) {
    EXPECT_THAT(host.ask(command), testing::Not(HasSubstr("failure"))) << command;
  }
  EXPECT_EQ(0, host.end());
}

TEST(Host, EndsWhileTheCoreHangs) {
  for (const char* kind : {"stub:hang", "stub:busy", "stub:garbage"}) {
    Host host(both(kind));
    EXPECT_EQ(R"({"ready":true})", host.line());
    EXPECT_THAT(host.ask(R"(["hook","f","e"])"), testing::Not(HasSubstr("failure")));
    host.send(R"(["cleanup","c"])");
    EXPECT_EQ(0, host.end()) << kind;
  }
}

TEST(Host, RefusesACoreThatIsNotThereOrDoesNotFit) {
  EXPECT_THAT(refusal(both("", "/nowhere.so")), AllOf(HasSubstr("the Hook refuses to load"), HasSubstr("/nowhere.so"),
                                                      HasSubstr("Error creating Module instance")));
  EXPECT_THAT(refusal(both("", DCE_STUB_VERSION)), HasSubstr("version 7"));
  EXPECT_THAT(refusal(both("stub:fail-open")), HasSubstr("The stub does not open"));
}

TEST(Host, RefusesUnknownParameters) {
  EXPECT_THAT(refusal(manifest(DCE_MODULE, {kIsolator}, {{"core", DCE_STUB}, {"dockerhost", "x"}})),
              AllOf(HasSubstr("the Isolator refuses to load"), HasSubstr("\"dockerhost\" is unknown")));
}

// Holds the host program to the agent's own checks, so that a module which passes here is not refused there.
TEST(Host, ChecksModulesAsAnAgentDoes) {
  EXPECT_THAT(refusal(manifest("/nowhere.so", {}, {})), HasSubstr("Error opening library: '/nowhere.so'"));
  EXPECT_THAT(refusal(manifest(DCE_MODULE, {"no_such_module"}, {})), HasSubstr("Error loading module 'no_such_module'"));
  EXPECT_THAT(refusal(manifest(DCE_FAULTY, {"wrong_api"}, {})), HasSubstr("Module API version mismatch"));
  EXPECT_THAT(refusal(manifest(DCE_FAULTY, {"wrong_version"}, {})), HasSubstr("module is compiled with version 1.0.0"));
  EXPECT_THAT(refusal(manifest(DCE_FAULTY, {"wrong_kind"}, {})), HasSubstr("Unknown module kind: Teapot"));
  EXPECT_THAT(refusal(manifest(DCE_FAULTY, {"missing_field"}, {})), HasSubstr("missing fields"));
  EXPECT_THAT(refusal(manifest(DCE_FAULTY, {"incompatible"}, {})), HasSubstr("incompatible"));
}

TEST(Host, KeepsItsSignals) {
  Host host(both(""));
  host.line();
  host.ask(R"(["profile",5])");
  for (const int signal : {SIGUSR1, SIGTERM, SIGCHLD}) {
    for (int i = 0; i < 3; ++i) {
      kill(host.pid(), signal);
      host.ask(R"(["hook","f","e"])");  // until it was caught: the same signal twice at once is one
    }
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string said;
  do {  // SIGPROF counts CPU time
    host.ask(R"(["usage","c"])");
    said = host.ask(R"(["signals"])");
  } while (said.find(R"("SIGPROF":0)") != std::string::npos && std::chrono::steady_clock::now() < until);
  EXPECT_THAT(said, AllOf(HasSubstr(R"("kept":true)"), HasSubstr(R"("SIGUSR1":3)"), HasSubstr(R"("SIGTERM":3)"),
                          HasSubstr(R"("SIGCHLD":3)"), testing::Not(HasSubstr(R"("SIGPROF":0)"))));
  EXPECT_EQ(0, host.end());
}

}  // namespace
