// After glog's logging.h: LOG(severity) << ..., a line on standard error.
#pragma once

#include <iostream>
#include <sstream>

namespace glog_double {

class Line {
 public:
  explicit Line(const char* severity) { text_ << severity << ": "; }
  ~Line() { std::cerr << text_.str() + "\n" << std::flush; }
  std::ostream& stream() { return text_; }

 private:
  std::ostringstream text_;
};

}  // namespace glog_double

#define LOG(severity) ::glog_double::Line(#severity).stream()
#define LOG_IF(severity, condition) \
  if (!(condition)) {               \
  } else                            \
    LOG(severity)
