// Builds messages of one line, so that a script can read an error as a line and a hint.
#include "base/error.h"

#include <fmt/format.h>

namespace pantryd {

std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!space) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Error::Error(ExitCode code, const std::string& message, std::string hint)
    : std::runtime_error(one_line(message)), code_(code), hint_(one_line(hint)) {}

std::string Error::in_one_line() const {
  return hint_.empty() ? what() : fmt::format("{} HINT: {}", what(), hint_);
}

std::string Error::render() const {
  std::string out = "pantryd: ";
  out += what();
  out += '\n';
  if (!hint_.empty()) out += "HINT: " + hint_ + "\n";
  return out;
}

}  // namespace pantryd
