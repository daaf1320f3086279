// After include/mesos/version.hpp.in of apache/mesos: the version that the double follows.
#pragma once

#define MESOS_VERSION "1.11.0"
