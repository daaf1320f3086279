// Parameters of a module, for tests.
#pragma once

#include <mesos/mesos.hpp>
#include <string>
#include <utility>
#include <vector>

namespace dce {

using Given = std::vector<std::pair<std::string, std::string>>;

inline mesos::Parameters parameters(const Given& given) {
  mesos::Parameters all;
  for (const auto& one : given) {
    mesos::Parameter* const added = all.add_parameter();
    added->set_key(one.first);
    added->set_value(one.second);
  }
  return all;
}

}  // namespace dce
