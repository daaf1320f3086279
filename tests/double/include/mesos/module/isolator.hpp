// After include/mesos/module/isolator.hpp of apache/mesos.
#pragma once

#include <mesos/mesos.hpp>
#include <mesos/module.hpp>
#include <mesos/slave/isolator.hpp>

namespace mesos {
namespace modules {

template <>
inline const char* kind<mesos::slave::Isolator>() {
  return "Isolator";
}

template <>
struct Module<mesos::slave::Isolator> : ModuleBase {
  Module(const char* apiVersion, const char* version, const char* author, const char* email, const char* text,
         bool (*compatibleFunction)(), mesos::slave::Isolator* (*createFunction)(const Parameters&))
      : ModuleBase{apiVersion, version, modules::kind<mesos::slave::Isolator>(), author, email, text, compatibleFunction},
        create(createFunction) {}

  mesos::slave::Isolator* (*create)(const Parameters& parameters);
};

}  // namespace modules
}  // namespace mesos
