// After google/protobuf/message.h and what protoc makes: message classes from a list of their fields. A class has the accessors
// that the module and its tests use, and goes to and from JSON as stout/protobuf.hpp has it.
#pragma once

#include <cstdint>
#include <map>
#include <stout/json.hpp>
#include <stout/option.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// The accessors of an optional or required field.
#define MESOS_DOUBLE_FIELD(Type, name)          \
 public:                                        \
  bool has_##name() const {                     \
    return name##_.isSome();                    \
  }                                             \
  const Type& name() const {                    \
    static const Type none = {};                \
    return has_##name() ? name##_.get() : none; \
  }                                             \
  void set_##name(Type value) {                 \
    name##_ = Option<Type>(std::move(value));   \
  }                                             \
  Type* mutable_##name() {                      \
    if (!has_##name()) {                        \
      set_##name({});                           \
    }                                           \
    return &name##_.get();                      \
  }                                             \
  void clear_##name() {                         \
    name##_ = Option<Type>();                   \
  }                                             \
                                                \
 private:                                       \
  Option<Type> name##_;

// The accessors of a repeated field, or a map.
#define MESOS_DOUBLE_MANY(Type, name)                   \
 public:                                                \
  const Type& name() const {                            \
    return name##_;                                     \
  }                                                     \
  Type* mutable_##name() {                              \
    return &name##_;                                    \
  }                                                     \
  template <typename Many = Type>                       \
  typename Many::value_type* add_##name() {             \
    return &static_cast<Many&>(name##_).emplace_back(); \
  }                                                     \
  void clear_##name() {                                 \
    name##_.clear();                                    \
  }                                                     \
                                                        \
 private:                                               \
  Type name##_;

#define MESOS_DOUBLE_WRITE(Type, name)                                          \
  if (has_##name()) {                                                           \
    object.values[#name] = ::google::protobuf::internal::toJson(name##_.get()); \
  }
#define MESOS_DOUBLE_WRITE_MANY(Type, name)                               \
  if (!name##_.empty()) {                                                 \
    object.values[#name] = ::google::protobuf::internal::toJson(name##_); \
  }
#define MESOS_DOUBLE_READ(Type, name)                                                               \
  if (error.empty() && object.values.count(#name) > 0 &&                                            \
      !::google::protobuf::internal::fromJson(object.values.at(#name), mutable_##name(), &error)) { \
    error = "Not expecting a JSON value of this type for field '" #name "'";                        \
  }
#define MESOS_DOUBLE_READ_REQUIRED(Type, name)            \
  MESOS_DOUBLE_READ(Type, name)                           \
  if (error.empty() && object.values.count(#name) == 0) { \
    error = "Missing required fields: " #name;            \
  }

// The class Name with FIELDS, a macro with a parameter each for what to do with optional, required and other fields.
#define MESOS_DOUBLE_MESSAGE(Name, FIELDS)                                     \
  class Name : public ::google::protobuf::Message {                            \
    FIELDS(MESOS_DOUBLE_FIELD, MESOS_DOUBLE_FIELD, MESOS_DOUBLE_MANY)          \
   public:                                                                     \
    JSON::Object json() const override {                                       \
      JSON::Object object;                                                     \
      FIELDS(MESOS_DOUBLE_WRITE, MESOS_DOUBLE_WRITE, MESOS_DOUBLE_WRITE_MANY)  \
      return object;                                                           \
    }                                                                          \
    std::string fill(const JSON::Object& object) override {                    \
      std::string error;                                                       \
      FIELDS(MESOS_DOUBLE_READ, MESOS_DOUBLE_READ_REQUIRED, MESOS_DOUBLE_READ) \
      return error;                                                            \
    }                                                                          \
  };

namespace google {
namespace protobuf {

template <typename Key, typename Value>
using Map = std::map<Key, Value>;

template <typename T>
using RepeatedPtrField = std::vector<T>;

class Message {
 public:
  virtual ~Message() = default;
  // The fields that are set.
  virtual JSON::Object json() const = 0;
  // Takes fields over, and passes over those that it does not have. The error is "" for none.
  virtual std::string fill(const JSON::Object& object) = 0;
};

namespace internal {

template <typename T>
JSON::Value toJson(const T& value) {
  if constexpr (std::is_base_of_v<Message, T>) {
    return value.json();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return JSON::String(value);
  } else {
    return value;
  }
}

template <typename T>
JSON::Value toJson(const std::vector<T>& values) {
  JSON::Array array;
  for (const T& value : values) {
    array.values.push_back(toJson(value));
  }
  return array;
}

template <typename T>
JSON::Value toJson(const std::map<std::string, T>& values) {
  JSON::Object object;
  for (const auto& value : values) {
    object.values[value.first] = toJson(value.second);
  }
  return object;
}

// False where the value has another type. What is wrong within it is in error.
template <typename T>
bool fromJson(const JSON::Value& value, T* to, std::string* error) {
  if constexpr (std::is_base_of_v<Message, T>) {
    if (value.is<JSON::Object>()) {
      *error = to->fill(value.as<JSON::Object>());
    }
    return value.is<JSON::Object>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    *to = value.is<JSON::String>() ? value.as<JSON::String>().value : "";
    return value.is<JSON::String>();
  } else if constexpr (std::is_same_v<T, bool>) {
    *to = value.is<JSON::Boolean>() && value.as<JSON::Boolean>().value;
    return value.is<JSON::Boolean>();
  } else {
    *to = value.is<JSON::Number>() ? value.as<JSON::Number>().template as<T>() : T();
    return value.is<JSON::Number>();
  }
}

template <typename T>
bool fromJson(const JSON::Value& value, std::vector<T>* to, std::string* error) {
  if (!value.is<JSON::Array>()) {
    return false;
  }
  for (const JSON::Value& item : value.as<JSON::Array>().values) {
    if (!fromJson(item, &to->emplace_back(), error)) {
      return false;
    }
  }
  return true;
}

template <typename T>
bool fromJson(const JSON::Value& value, std::map<std::string, T>* to, std::string* error) {
  if (!value.is<JSON::Object>()) {
    return false;
  }
  for (const auto& item : value.as<JSON::Object>().values) {
    if (!fromJson(item.second, &(*to)[item.first], error)) {
      return false;
    }
  }
  return true;
}

}  // namespace internal
}  // namespace protobuf
}  // namespace google
