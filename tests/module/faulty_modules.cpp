// Modules that an agent must refuse, each for one reason.
#include <mesos/module.hpp>

using mesos::modules::ModuleBase;

extern "C" {
ModuleBase wrong_api = {"1", MESOS_VERSION, "Hook", "a", "b", "c", nullptr};
ModuleBase wrong_version = {MESOS_MODULE_API_VERSION, "1.0.0", "Hook", "a", "b", "c", nullptr};
ModuleBase wrong_kind = {MESOS_MODULE_API_VERSION, MESOS_VERSION, "Teapot", "a", "b", "c", nullptr};
ModuleBase missing_field = {MESOS_MODULE_API_VERSION, MESOS_VERSION, "Hook", "a", "b", nullptr, nullptr};
ModuleBase incompatible = {MESOS_MODULE_API_VERSION, MESOS_VERSION, "Hook", "a", "b", "c", [] { return false; }};
}
