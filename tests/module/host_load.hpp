// Loads modules as an agent does.
#pragma once

#include <memory>
#include <mesos/hook.hpp>
#include <mesos/mesos.hpp>
#include <mesos/slave/isolator.hpp>
#include <stout/json.hpp>
#include <stout/try.hpp>
#include <vector>

struct Loaded {
  std::vector<std::unique_ptr<mesos::Hook>> hooks;
  std::vector<std::unique_ptr<mesos::slave::Isolator>> isolators;
};

// Follows src/module/manager.cpp of apache/mesos: ModuleManager::loadManifest, verifyModule and create, with hooks made
// first (HookManager::initialize in src/slave/main.cpp) and isolators after (Containerizer::create). manifest is the --modules
// JSON. Errors are the agent's.
Try<std::shared_ptr<Loaded>> loadModules(const JSON::Object& manifest);
