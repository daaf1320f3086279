// After stout/hashset.hpp of apache/mesos.
#pragma once

#include <unordered_set>

template <typename T>
using hashset = std::unordered_set<T>;
