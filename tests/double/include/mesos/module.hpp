// After include/mesos/module.hpp of apache/mesos: what an agent reads of a module before it makes one.
#pragma once

#include <mesos/version.hpp>

#define MESOS_MODULE_API_VERSION "2"

namespace mesos {
namespace modules {

struct ModuleBase {
  const char* moduleApiVersion;
  const char* mesosVersion;
  const char* kind;
  const char* authorName;
  const char* authorEmail;
  const char* description;
  bool (*compatible)();
};

template <typename T>
struct Module;

template <typename T>
const char* kind();

}  // namespace modules
}  // namespace mesos
