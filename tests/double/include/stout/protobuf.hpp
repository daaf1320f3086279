// After stout/protobuf.hpp of apache/mesos: a message from its JSON. Unknown fields are passed over there too, and missing
// required ones are errors.
#pragma once

#include <stout/json.hpp>
#include <stout/try.hpp>

namespace protobuf {

template <typename T>
Try<T> parse(const JSON::Object& object) {
  return T::fromJson(object);
}

}  // namespace protobuf
