// The two modules, over a session. What each does is in the file of its name.
#pragma once

#include <mesos/hook.hpp>
#include <mesos/slave/isolator.hpp>

#include "session.hpp"

namespace dce {

mesos::Hook* newHook(const std::shared_ptr<Session>& session);
mesos::slave::Isolator* newIsolator(const std::shared_ptr<Session>& session);

}  // namespace dce
