#include "loader.hpp"

#include <dlfcn.h>
#include <elf.h>

#include <fstream>
#include <utility>
#include <vector>

#define DCE_CORE_TYPES_ONLY
#include "dcecore.h"

namespace dce {
namespace {

struct Functions {
  dce_core_abi_version_fn version;
  dce_core_open_fn open;
  dce_core_submit_fn submit;
  dce_core_close_fn close;
  dce_core_free_fn free;
};

// Runs on a thread of the core.
void finished(void* cookie, int32_t status, dce_chars* bytes, size_t length) noexcept {
  const std::unique_ptr<Core::Done> done(static_cast<Core::Done*>(cookie));
  (*done)(Reply{status, std::string(bytes == nullptr ? "" : bytes, length)});
}

class LoadedCore final : public Core {
 public:
  LoadedCore(const Functions& functions, dce_core core) : functions_(functions), core_(core) {}
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
  const Functions functions_;
  const dce_core core_;
};

// Why the file can't be loaded, or "". The dynamic linker trusts the headers of a truncated library and dies of SIGBUS.
std::string flaw(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<uint64_t>(file.tellg());
  Elf64_Ehdr header = {};
  if (!file || !file.seekg(0) || !file.read(reinterpret_cast<char*>(&header), sizeof(header))) {
    return "it can't be read, or is empty";
  }
  if (std::string(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return "it is no shared library for this machine";
  }
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  file.read(reinterpret_cast<char*>(segments.data()), static_cast<std::streamsize>(segments.size() * sizeof(segments[0])));
  // The table of sections is the last thing in the file; where there is none, its offset is 0.
  bool whole = file && header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize <= size;
  for (const Elf64_Phdr& segment : segments) {
    whole = whole && segment.p_filesz <= size && segment.p_offset <= size - segment.p_filesz;
  }
  return whole ? "" : "it is truncated";
}

}  // namespace

Try<std::shared_ptr<Core>> load(const std::string& path, const std::string& config) {
  const std::string hint = "; install the libdcecore.so that belongs to this module, or name it in the parameter 'core'";
  const std::string fault = flaw(path);
  if (!fault.empty()) {
    return Error("The core " + path + " can't be loaded, for " + fault + hint);
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return Error("The core can't be loaded: " + std::string(dlerror()) + hint);
  }
  std::string missing;
  const auto bind = [&](auto* function, const char* symbol) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(library, symbol));
    missing += *function == nullptr ? std::string(missing.empty() ? "" : ", ") + symbol : "";
  };
  Functions functions = {};
  bind(&functions.version, "dce_core_abi_version");
  const uint32_t version = missing.empty() ? functions.version() : DCE_CORE_ABI_VERSION;
  if (version != DCE_CORE_ABI_VERSION) {
    return Error("The core " + path + " has version " + std::to_string(version) +
                 " of the interface and this module has version " + std::to_string(DCE_CORE_ABI_VERSION) + hint);
  }
  bind(&functions.open, "dce_core_open");
  bind(&functions.submit, "dce_core_submit");
  bind(&functions.close, "dce_core_close");
  bind(&functions.free, "dce_core_free");
  if (!missing.empty()) {
    return Error("The library " + path + " is no core of dce, for it lacks " + missing + hint);
  }
  dce_core core = 0;
  char* said = nullptr;
  const int32_t status = functions.open(config.data(), config.size(), &core, &said);
  const std::string sentence = said == nullptr ? "status " + std::to_string(status) : said;
  functions.free(said);
  if (status != DCE_OK) {
    return Error(sentence);
  }
  return std::shared_ptr<Core>(new LoadedCore(functions, core));
}

}  // namespace dce
