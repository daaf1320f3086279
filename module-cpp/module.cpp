// The two modules that an agent finds in this library by the names of their variables.
#include <glog/logging.h>

#include <mesos/module/hook.hpp>
#include <mesos/module/isolator.hpp>

#include "dcecore.h"
#include "modules.hpp"

// What the module was compiled for, for tools that read it off the file (`dce doctor`).
extern "C" {
extern const uint32_t dce_module_abi;
const uint32_t dce_module_abi = DCE_CORE_ABI_VERSION;
extern const char dce_module_mesos[];
const char dce_module_mesos[] = MESOS_VERSION;
}

namespace {

// The agent says only that a module was not created; why is said here.
template <typename Kind, Kind* (*make)(const std::shared_ptr<dce::Session>&)>
Kind* create(const mesos::Parameters& parameters) {
  const std::string name = mesos::modules::kind<Kind>();
  const auto session = dce::Session::join(name, parameters);
  LOG_IF(ERROR, session.isError()) << "dce: the " << name << " refuses to load: " << session.error();
  return session.isError() ? nullptr : make(session.get());
}

}  // namespace

// nullptr: without a function that says otherwise, an agent takes only modules compiled for its very version.
mesos::modules::Module<mesos::Hook> org_apache_mesos_ComposePodCleanupHook(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "dce", "https://github.com/dce-go/dce",
    "Removes what a compose pod left when its executor is removed", nullptr, create<mesos::Hook, dce::newHook>);

mesos::modules::Module<mesos::slave::Isolator> org_apache_mesos_ComposePodIsolator(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "dce", "https://github.com/dce-go/dce",
    "Binds compose pods to their cgroup and removes what they leave", nullptr,
    create<mesos::slave::Isolator, dce::newIsolator>);
