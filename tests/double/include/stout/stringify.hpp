// After stout/stringify.hpp of apache/mesos.
#pragma once

#include <sstream>
#include <string>

template <typename T>
std::string stringify(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
