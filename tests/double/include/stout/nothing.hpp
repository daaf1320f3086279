// After stout/nothing.hpp of apache/mesos.
#pragma once

struct Nothing {};
