// Counts lines as an editor shows them.
#include "tests/tidy/limits.h"

#include <algorithm>

#include "tests/tidy/code.h"

namespace pantryd::tidy {
namespace {

bool has_size_limits(std::string_view path) {
  return is_cpp(path) && (is_product(path) || path.starts_with("tests/support/") ||
                          path.starts_with("tests/tidy/"));
}

int columns_of(std::string_view line) {
  // Bytes that continue a character of UTF-8 are 10xxxxxx.
  return static_cast<int>(
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool has_columns(std::string_view path, std::string_view text) {
  return is_cpp(path) || path.ends_with(".cmake") || path.ends_with("CMakeLists.txt") ||
         is_script(path, text);
}

bool is_one_word(std::string_view line) {
  const auto first = line.find_first_not_of(" #/");
  return first != std::string_view::npos && line.find(' ', first) == std::string_view::npos;
}

std::string too_long(const std::string& what, int lines, int limit) {
  return what + " has " + std::to_string(lines) + " lines, the limit is " + std::to_string(limit);
}

std::string name_of(const std::string& head) {
  const auto bracket = head.find('(');
  const auto begin = head.find_last_of(" \n*&", bracket == 0 ? 0 : bracket - 1);
  return head.substr(begin == std::string::npos ? 0 : begin + 1, bracket - begin - 1);
}

/// The text of the comment that begins on the first line.
std::string opening_comment(std::string_view text) {
  std::string comment;
  for (const auto line : lines_of(text)) {
    if (!line.starts_with("//")) break;
    comment += line.substr(2);
  }
  return comment;
}

}  // namespace

Findings check_sizes(const Tree& tree, const Limits& limits) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!has_size_limits(path)) continue;
    const auto lines = static_cast<int>(lines_of(text).size());
    const int limit = is_header(path) ? limits.header_lines : limits.source_lines;
    if (lines > limit) findings.push_back({path, 0, too_long("the file", lines, limit)});
    for (const auto& function : functions_of(text)) {
      if (function.lines <= limits.function_lines) continue;
      findings.push_back({path, function.line,
                          too_long(name_of(function.head), function.lines, limits.function_lines)});
    }
  }
  return findings;
}

Findings check_columns(const Tree& tree, const Limits& limits) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!has_columns(path, text)) continue;
    int number = 0;
    for (const auto line : lines_of(text)) {
      ++number;
      const int columns = columns_of(line);
      if (columns <= limits.columns || is_one_word(line)) continue;
      findings.push_back({path, number,
                          "the line has " + std::to_string(columns) + " columns, the limit is " +
                              std::to_string(limits.columns)});
    }
  }
  return findings;
}

Findings check_opening_comments(const Tree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_cpp(path)) continue;
    const auto opening = opening_comment(text);
    const bool says_something = opening.size() > 12 && !opening.starts_with(" No state.") &&
                                opening.find("invariants: No state") == std::string::npos;
    if (!says_something) {
      findings.push_back(
          {path, 1, "the file does not begin with a comment that says what it does"});
    }
  }
  return findings;
}

}  // namespace pantryd::tidy
