// After include/mesos/module/hook.hpp of apache/mesos.
#pragma once

#include <mesos/hook.hpp>
#include <mesos/mesos.hpp>
#include <mesos/module.hpp>

namespace mesos {
namespace modules {

template <>
inline const char* kind<mesos::Hook>() {
  return "Hook";
}

template <>
struct Module<mesos::Hook> : ModuleBase {
  Module(const char* apiVersion, const char* version, const char* author, const char* email, const char* text,
         bool (*compatibleFunction)(), mesos::Hook* (*createFunction)(const Parameters&))
      : ModuleBase{apiVersion, version, modules::kind<mesos::Hook>(), author, email, text, compatibleFunction},
        create(createFunction) {}

  mesos::Hook* (*create)(const Parameters& parameters);
};

}  // namespace modules
}  // namespace mesos
