// The two modules that an agent finds in this library by the names of their variables.
#include <glog/logging.h>

#include <mesos/mesos.hpp>
#include <mesos/module.hpp>
#include <mesos/module/hook.hpp>
#include <mesos/module/isolator.hpp>

#include "dcecore.h"
#include "hook.hpp"
#include "isolator.hpp"

// What the module was compiled for, for tools that read it off the file (`dce doctor`): an agent checks them only at its start.
extern "C" {
extern const uint32_t dce_module_abi;
const uint32_t dce_module_abi = DCE_CORE_ABI_VERSION;
extern const char dce_module_mesos[];
const char dce_module_mesos[] = MESOS_VERSION;
}

namespace {

// The agent says only that a module was not created; why is said here.
template <typename Kind, typename Implementation>
Kind* create(const char* name, const mesos::Parameters& parameters) {
  auto session = dce::Session::join(name, parameters);
  if (session.isError()) {
    LOG(ERROR) << "dce: the " << name << " refuses to load: " << session.error();
    return nullptr;
  }
  return new Implementation(session.get());
}

mesos::Hook* createHook(const mesos::Parameters& parameters) {
  return create<mesos::Hook, dce::CleanupHook>("hook", parameters);
}

mesos::slave::Isolator* createIsolator(const mesos::Parameters& parameters) {
  return create<mesos::slave::Isolator, dce::PodIsolator>("isolator", parameters);
}

}  // namespace

// nullptr: without a function that says otherwise, an agent takes only modules compiled for its very version.
mesos::modules::Module<mesos::Hook> org_apache_mesos_ComposePodCleanupHook(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "dce", "https://github.com/dce-go/dce",
    "Removes what a compose pod left when its executor is removed", nullptr, createHook);

mesos::modules::Module<mesos::slave::Isolator> org_apache_mesos_ComposePodIsolator(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "dce", "https://github.com/dce-go/dce",
    "Binds compose pods to their cgroup and removes what they leave", nullptr, createIsolator);
