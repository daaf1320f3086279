// The Go core as the module sees it: one operation in, one reply out. dcecore.h says what the operations are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stout/try.hpp>
#include <string>

namespace dce {

// How an operation ended: a status of dcecore.h, and a JSON object (DCE_OK) or one sentence (anything else).
struct Reply {
  int32_t status;
  std::string body;
};

class Core {
 public:
  using Done = std::function<void(Reply)>;
  using Opener = std::function<Try<std::shared_ptr<Core>>()>;

  // Ends the core: whatever is under way is done before the return.
  virtual ~Core() = default;

  // Starts an operation. done is called exactly once, on any thread; before the return where nothing was accepted.
  virtual void submit(const std::string& op, const std::string& input, std::chrono::milliseconds timeout,
                      Done done) = 0;
};

// Checks and loads the library at path and opens a core with a config as dcecore.h has it; for one thread, to its end.
// The library is never unloaded, because a Go runtime can't be. The error is a sentence.
Try<std::shared_ptr<Core>> load(const std::string& path, const std::string& config);

// A core for any thread; who calls it waits for nobody. A thread of its own opens, calls and ends the one behind it,
// with all asynchronous signals blocked: the threads of the Go runtime inherit that mask and leave the agent's signals
// to the agent. One that does not open or end within patience is given up, and left to itself.
Try<std::shared_ptr<Core>> onThread(const Core::Opener& opener, std::chrono::milliseconds patience);

}  // namespace dce
