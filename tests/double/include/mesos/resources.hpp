// After include/mesos/resources.hpp of apache/mesos: resources that become a field of a message again.
#pragma once

#include <mesos/mesos.hpp>
#include <utility>
#include <vector>

namespace mesos {

class Resources {
 public:
  Resources() = default;
  Resources(std::vector<Resource> resources) : resources_(std::move(resources)) {}
  operator google::protobuf::RepeatedPtrField<Resource>() const { return resources_; }

 private:
  std::vector<Resource> resources_;
};

}  // namespace mesos
