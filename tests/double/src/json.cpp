#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stout/json.hpp>

namespace JSON {
namespace {

// A parser of one text; the first thing that is not JSON ends it.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Try<Value> whole() {
    Value value;
    if (!read(&value) || (skip(), at_ != text_.size())) {
      return Error("syntax error at byte " + std::to_string(at_));
    }
    return value;
  }

 private:
  void skip() {
    while (at_ < text_.size() && std::string(" \t\r\n").find(text_[at_]) != std::string::npos) {
      ++at_;
    }
  }

  bool eat(const std::string& token) {
    skip();
    if (text_.compare(at_, token.size(), token) != 0) {
      return false;
    }
    at_ += token.size();
    return true;
  }

  bool read(Value* value) {
    if (eat("{")) {
      return object(value);
    }
    if (eat("[")) {
      return array(value);
    }
    if (eat("\"")) {
      String text;
      if (!string(&text.value)) {
        return false;
      }
      *value = text;
      return true;
    }
    for (const bool truth : {true, false}) {
      if (eat(truth ? "true" : "false")) {
        *value = Value(truth);
        return true;
      }
    }
    return eat("null") || number(value);
  }

  bool number(Value* value) {
    const size_t end = text_.find_first_not_of("+-.eE0123456789", at_);
    const std::string digits = text_.substr(at_, end - at_);
    char* rest = nullptr;
    const double real = std::strtod(digits.c_str(), &rest);
    if (digits.empty() || *rest != '\0') {
      return false;
    }
    at_ += digits.size();
    const bool integral = digits.find_first_of(".eE") == std::string::npos;
    *value = integral ? Value(Number(static_cast<int64_t>(std::strtoll(digits.c_str(), nullptr, 10)))) : Value(Number(real));
    return true;
  }

  bool string(std::string* text) {
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_++];
      if (c != '\\') {
        *text += c;
        continue;
      }
      const char escaped = at_ < text_.size() ? text_[at_++] : '\0';
      const size_t known = std::string("\"\\/bfnrt").find(escaped);
      if (escaped == 'u') {
        if (!escape(text)) {
          return false;
        }
      } else if (escaped != '\0' && known != std::string::npos) {
        *text += "\"\\/\b\f\n\r\t"[known];
      } else {
        return false;
      }
    }
    return at_ < text_.size() && text_[at_++] == '"';
  }

  bool unit(uint32_t* value) {
    const std::string digits = text_.substr(at_, 4);
    if (digits.size() != 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      return false;
    }
    at_ += 4;
    *value = static_cast<uint32_t>(std::strtoul(digits.c_str(), nullptr, 16));
    return true;
  }

  bool escape(std::string* text) {
    uint32_t point = 0;
    if (!unit(&point)) {
      return false;
    }
    if (point >= 0xd800 && point < 0xdc00) {  // the first of a pair
      uint32_t low = 0;
      if (text_.compare(at_, 2, "\\u") != 0 || (at_ += 2, !unit(&low)) || low < 0xdc00 || low > 0xdfff) {
        return false;
      }
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    const auto put = [text](uint32_t byte) { *text += static_cast<char>(byte); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xc0 | point >> 6);
      put(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      put(0xe0 | point >> 12);
      put(0x80 | (point >> 6 & 0x3f));
      put(0x80 | (point & 0x3f));
    } else {
      put(0xf0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3f));
      put(0x80 | (point >> 6 & 0x3f));
      put(0x80 | (point & 0x3f));
    }
    return true;
  }

  bool object(Value* value) {
    Object object;
    while (!eat("}")) {
      std::string key;
      Value field;
      if ((!object.values.empty() && !eat(",")) || !eat("\"") || !string(&key) || !eat(":") || !read(&field)) {
        return false;
      }
      object.values[key] = field;
    }
    *value = object;
    return true;
  }

  bool array(Value* value) {
    Array array;
    while (!eat("]")) {
      Value item;
      if ((!array.values.empty() && !eat(",")) || !read(&item)) {
        return false;
      }
      array.values.push_back(item);
    }
    *value = array;
    return true;
  }

  const std::string& text_;
  size_t at_ = 0;
};

void quote(std::ostream& out, const std::string& text) {
  out << '"';
  for (const char c : text) {
    const size_t known = std::string("\"\\\b\f\n\r\t").find(c);
    if (known != std::string::npos) {
      out << '\\' << "\"\\bfnrt"[known];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      out << escaped;
    } else {
      out << c;
    }
  }
  out << '"';
}

struct Writer {
  std::ostream& out;

  void operator()(const Null&) const { out << "null"; }
  void operator()(const String& text) const { quote(out, text.value); }
  void operator()(const Boolean& boolean) const { out << (boolean.value ? "true" : "false"); }
  void operator()(const Number& number) const {
    if (!number.integral && !std::isfinite(number.real)) {
      std::abort();  // as the CHECK in stout's NumberWriter does
    }
    char text[32];
    if (number.integral) {
      std::snprintf(text, sizeof(text), "%lld", static_cast<long long>(number.whole));
    } else {
      std::snprintf(text, sizeof(text), "%.17g", number.real);
    }
    out << text;
  }
  void operator()(const Object& object) const {
    const char* separator = "{";
    for (const auto& field : object.values) {
      out << separator;
      quote(out, field.first);
      out << ':' << field.second;
      separator = ",";
    }
    out << (object.values.empty() ? "{}" : "}");
  }
  void operator()(const Array& array) const {
    const char* separator = "[";
    for (const Value& item : array.values) {
      out << separator << item;
      separator = ",";
    }
    out << (array.values.empty() ? "[]" : "]");
  }
};

}  // namespace

Try<Value> parse(const std::string& text) {
  return Parser(text).whole();
}

std::ostream& operator<<(std::ostream& out, const Value& value) {
  std::visit(Writer{out}, value.held);
  return out;
}

}  // namespace JSON
