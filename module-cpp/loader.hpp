// Checks, loads and opens libdcecore.so.
#pragma once

#include <memory>
#include <stout/try.hpp>
#include <string>

#include "core.hpp"

namespace dce {

// Loads the library at path and opens a core with a config as dcecore.h has it. The library is never unloaded, because a
// Go runtime can't be. All threads of the runtime get the signal mask of the calling thread. The error is a sentence.
Try<std::shared_ptr<Core>> load(const std::string& path, const std::string& config);

}  // namespace dce
