// After process/id.hpp of apache/mesos (3rdparty/libprocess).
#pragma once

#include <string>

namespace process {
namespace ID {

// ID::generate of id.cpp: "prefix(1)", "prefix(2)", ...
std::string generate(const std::string& prefix);

}  // namespace ID
}  // namespace process
