// The Go core as the module sees it: one operation in, one reply out. dcecore.h says what the operations are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace dce {

// How an operation ended: a status of dcecore.h, and a JSON object (DCE_OK) or one sentence (anything else).
struct Reply {
  int32_t status;
  std::string body;
};

// Used from one thread, the worker's, from its making to its end.
class Core {
 public:
  using Done = std::function<void(Reply)>;

  // Ends the core: whatever is under way is done before the return.
  virtual ~Core() = default;

  // Starts an operation. done is called exactly once, on any thread; before the return where nothing was accepted.
  virtual void submit(const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Done done) = 0;
};

}  // namespace dce
