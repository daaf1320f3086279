// After stout/protobuf.hpp of apache/mesos: messages to and from JSON. Unknown fields are passed over there too, and a field of
// another type and a missing required one are errors.
#pragma once

#include <google/protobuf/message.h>

#include <stout/json.hpp>
#include <stout/try.hpp>

namespace protobuf {

template <typename T>
Try<T> parse(const JSON::Object& object) {
  T message;
  const std::string error = message.fill(object);
  return error.empty() ? Try<T>(std::move(message)) : Error(error);
}

}  // namespace protobuf

namespace JSON {

inline Object protobuf(const google::protobuf::Message& message) {
  return message.json();
}

}  // namespace JSON
