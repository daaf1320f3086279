#include "host_load.hpp"

#include <dlfcn.h>

#include <map>
#include <mesos/module.hpp>
#include <mesos/module/hook.hpp>
#include <mesos/module/isolator.hpp>
#include <string>

using mesos::modules::ModuleBase;

namespace {

struct Found {
  std::string name;
  const ModuleBase* base;
  mesos::Parameters parameters;
};

// ModuleManager::verifyModule; the table of kinds demands the agent's own version of all of them.
Try<Nothing> verify(const std::string& name, const ModuleBase* base) {
  for (const char* field :
       {base->mesosVersion, base->moduleApiVersion, base->authorName, base->authorEmail, base->description, base->kind}) {
    if (field == nullptr) {
      return Error("Error loading module '" + name + "'; missing fields");
    }
  }
  if (std::string(base->moduleApiVersion) != MESOS_MODULE_API_VERSION) {
    return Error("Module API version mismatch. Mesos has: " MESOS_MODULE_API_VERSION ", library requires: " +
                 std::string(base->moduleApiVersion));
  }
  if (std::string(base->kind) != "Hook" && std::string(base->kind) != "Isolator") {
    return Error("Unknown module kind: " + std::string(base->kind));
  }
  if (std::string(base->mesosVersion) != MESOS_VERSION) {
    return Error("Mesos has version " MESOS_VERSION ", but module is compiled with version " +
                 std::string(base->mesosVersion));
  }
  if (base->compatible != nullptr && !base->compatible()) {
    return Error("Module " + name + "has determined to be incompatible");
  }
  return Nothing();
}

// The field of an object that stands for a message; where it is missing or of another type, an empty one.
template <typename T>
T get(const JSON::Value& object, const std::string& key) {
  const Result<T> value = object.is<JSON::Object>() ? object.as<JSON::Object>().at<T>(key) : None();
  return value.isSome() ? value.get() : T();
}

// ModuleManager::loadManifest, but for the check of modules that are named twice.
Try<std::vector<Found>> loadManifest(const JSON::Object& manifest) {
  std::vector<Found> all;
  for (const JSON::Value& library : get<JSON::Array>(manifest, "libraries").values) {
    const std::string file = get<JSON::String>(library, "file").value;
    if (file.empty()) {
      return Error("Library name or path not provided");
    }
    void* const opened = dlopen(file.c_str(), RTLD_NOW);  // DynamicLibrary::open in stout/posix/dynamiclibrary.hpp
    if (opened == nullptr) {
      return Error("Error opening library: '" + file + "': " + dlerror());
    }
    for (const JSON::Value& module : get<JSON::Array>(library, "modules").values) {
      Found found;
      found.name = get<JSON::String>(module, "name").value;
      found.base = static_cast<const ModuleBase*>(dlsym(opened, found.name.c_str()));
      if (found.base == nullptr) {
        return Error("Error loading module '" + found.name + "': " + dlerror());
      }
      const Try<Nothing> verified = verify(found.name, found.base);
      if (verified.isError()) {
        return Error("Error verifying module '" + found.name + "': " + verified.error());
      }
      for (const JSON::Value& parameter : get<JSON::Array>(module, "parameters").values) {
        mesos::Parameter* const added = found.parameters.add_parameter();
        added->set_key(get<JSON::String>(parameter, "key").value);
        added->set_value(get<JSON::String>(parameter, "value").value);
      }
      all.push_back(found);
    }
  }
  return all;
}

// ModuleManager::create, for all modules of a kind.
template <typename T>
Try<Nothing> create(const std::vector<Found>& modules, std::vector<std::unique_ptr<T>>* instances) {
  for (const Found& found : modules) {
    if (std::string(found.base->kind) != mesos::modules::kind<T>()) {
      continue;
    }
    const auto* module = static_cast<const mesos::modules::Module<T>*>(found.base);
    instances->emplace_back(module->create(found.parameters));
    if (instances->back() == nullptr) {
      return Error("Error creating Module instance for '" + found.name + "'");
    }
  }
  return Nothing();
}

}  // namespace

Try<std::shared_ptr<Loaded>> loadModules(const JSON::Object& manifest) {
  const Try<std::vector<Found>> found = loadManifest(manifest);
  if (found.isError()) {
    return Error(found.error());
  }
  const auto loaded = std::make_shared<Loaded>();
  const Try<Nothing> hooks = create(found.get(), &loaded->hooks);
  if (hooks.isError()) {
    return Error(hooks.error());
  }
  const Try<Nothing> isolators = create(found.get(), &loaded->isolators);
  if (isolators.isError()) {
    return Error(isolators.error());
  }
  return loaded;
}
