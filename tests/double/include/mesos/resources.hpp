// After include/mesos/resources.hpp of apache/mesos: a sum of resources. Memory is in MB in a Resource, in bytes here.
#pragma once

#include <cstdint>
#include <mesos/mesos.hpp>
#include <stout/option.hpp>
#include <string>
#include <utility>
#include <vector>

// stout/bytes.hpp.
class Bytes {
 public:
  explicit Bytes(uint64_t bytes) : bytes_(bytes) {}
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t bytes_;
};

namespace mesos {

class Resources {
 public:
  Resources() = default;
  Resources(std::vector<Resource> resources) : resources_(std::move(resources)) {}

  Option<double> cpus() const { return sum("cpus"); }
  Option<Bytes> mem() const {
    const Option<double> megabytes = sum("mem");
    return megabytes.isSome() ? Option<Bytes>(Bytes(static_cast<uint64_t>(megabytes.get() * (1 << 20)))) : None();
  }

 private:
  Option<double> sum(const std::string& name) const {
    Option<double> total;
    for (const Resource& resource : resources_) {
      if (resource.name() == name) {
        total = (total.isSome() ? total.get() : 0) + resource.scalar().value();
      }
    }
    return total;
  }

  std::vector<Resource> resources_;
};

}  // namespace mesos
