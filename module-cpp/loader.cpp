// Checks, loads and opens libdcecore.so.
#include <dlfcn.h>
#include <elf.h>

#include <cstring>
#include <fstream>

#define DCE_CORE_TYPES_ONLY
#include "core.hpp"
#include "dcecore.h"

namespace dce {
namespace {

// Runs on a thread of the core.
void finished(void* cookie, int32_t status, dce_chars* bytes, size_t length) noexcept {
  const std::unique_ptr<Core::Done> done(static_cast<Core::Done*>(cookie));
  (*done)(Reply{status, std::string(bytes == nullptr ? "" : bytes, length)});
}

class LoadedCore final : public Core {
 public:
  LoadedCore(const dce_core_functions& functions, dce_core core) : functions_(functions), core_(core) {}
  ~LoadedCore() override { functions_.close(core_); }

  void submit(const std::string& op, const std::string& input, std::chrono::milliseconds timeout, Done done) override {
    auto cookie = std::make_unique<Done>(std::move(done));
    const int32_t status = functions_.submit(core_, op.data(), op.size(), input.data(), input.size(),
                                             static_cast<uint32_t>(timeout.count()), finished, cookie.get());
    if (status == DCE_OK) {
      static_cast<void>(cookie.release());  // finished has it
    } else {
      (*cookie)(Reply{status, "the core did not accept the operation " + op});
    }
  }

 private:
  const dce_core_functions functions_;
  const dce_core core_;
};

// Whether a file is a whole library: the dynamic linker trusts a truncated one and dies of SIGBUS.
bool isWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<uint64_t>(file.tellg());
  Elf64_Ehdr header = {};
  file.seekg(0).read(reinterpret_cast<char*>(&header), sizeof(header));
  // The table of sections is the last thing that a linker writes.
  const uint64_t end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  return file && std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_shoff != 0 && end <= size;
}

}  // namespace

Try<std::shared_ptr<Core>> load(const std::string& path, const std::string& config) {
  const std::string hint = "; install the libdcecore.so of this module, or name it in the parameter 'core'";
  if (!isWhole(path)) {
    return Error("The core " + path + " can't be read, or is not a whole shared library for this machine" + hint);
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return Error("The core can't be loaded: " + std::string(dlerror()) + hint);
  }
  std::string missing;
  const auto bind = [&](auto* function, const std::string& symbol) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(library, symbol.c_str()));
    missing += *function == nullptr ? " " + symbol : "";
  };
  dce_core_functions functions = {};
  bind(&functions.abi_version, "dce_core_abi_version");
  const uint32_t version = missing.empty() ? functions.abi_version() : DCE_CORE_ABI_VERSION;
  if (version != DCE_CORE_ABI_VERSION) {
    return Error("The core " + path + " has version " + std::to_string(version) +
                 " of the interface and this module has version " + std::to_string(DCE_CORE_ABI_VERSION) + hint);
  }
  bind(&functions.open, "dce_core_open");
  bind(&functions.submit, "dce_core_submit");
  bind(&functions.close, "dce_core_close");
  bind(&functions.free, "dce_core_free");
  if (!missing.empty()) {
    return Error("The library " + path + " is no core of dce, for it lacks" + missing + hint);
  }
  dce_core core = 0;
  char* said = nullptr;
  const int32_t status = functions.open(config.data(), config.size(), &core, &said);
  const std::string why = said != nullptr ? said : "The core " + path + " does not open" + hint;
  functions.free(said);
  return status == DCE_OK ? std::shared_ptr<Core>(new LoadedCore(functions, core))
                          : Try<std::shared_ptr<Core>>(Error(why));
}

}  // namespace dce
