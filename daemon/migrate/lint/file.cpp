#include "migrate/lint/file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace pantryd::migrate {
namespace {

constexpr std::string_view kPrefix = "-- migrate:";
constexpr std::string_view kBlanks = " \t";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Line ends to LF and no byte order mark. Nothing else changes, so columns stay right.
std::string plain_lines(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out.push_back(text[i]);
    } else if (i + 1 >= text.size() || text[i + 1] != '\n') {
      out.push_back('\n');
    }
  }
  return out;
}

LintAllow parse_allow(const std::string& name, int line, std::string_view words) {
  const auto space = words.find_first_of(kBlanks);
  LintAllow out;
  out.rule = std::string(words.substr(0, space));
  out.line = line;
  if (find_lint_rule(out.rule) == nullptr) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}: there is no rule \"{}\"", name, line, out.rule),
                "pantryd migrate lint --rules lists the rules.");
  }
  const auto rest =
      space == std::string_view::npos ? std::string_view() : trim(words.substr(space));
  constexpr std::string_view because = "because";
  if (rest.substr(0, because.size()) == because) {
    const auto reason = rest.substr(because.size());
    if (!reason.empty() && kBlanks.find(reason.front()) != std::string_view::npos) {
      out.reason = std::string(trim(reason));
    }
  }
  if (out.reason.empty()) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}: {} is allowed without a reason", name, line, out.rule),
                fmt::format("Write \"-- migrate:allow {} because REASON\".", out.rule));
  }
  return out;
}

}  // namespace

LintFile read_lint_file(const std::string& name, std::string_view raw) {
  LintFile out;
  out.name = name;
  const auto text = plain_lines(raw);
  const bool has_marks =
      text.rfind("-- migrate:up", 0) == 0 || text.find("\n-- migrate:up") != std::string::npos;
  bool in_up = !has_marks;
  bool in_down = false;
  bool open = true;  // no statement yet in this section
  int line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto content = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++line;
    if (content.substr(0, kPrefix.size()) == kPrefix) {
      const auto option = trim(content.substr(kPrefix.size()));
      const auto word = option.substr(0, option.find_first_of(kBlanks));
      if (option == "up" || option == "down") {
        in_up = option == "up";
        in_down = !in_up;
        open = true;
      } else if (word == "no-transaction" && !in_down) {
        out.in_transaction = false;
      } else if (word == "allow" && !open) {
        throw Error(ExitCode::usage, fmt::format("{}:{}: an option below a statement", name, line),
                    "Options stand above the statements of their section.");
      } else if (word == "allow") {
        out.allows.push_back(parse_allow(name, line, trim(option.substr(word.size()))));
      }
    } else if (const auto first = trim(content); !first.empty() && first.substr(0, 2) != "--") {
      open = false;
    }
    if (in_up) out.sql.append(content);
    out.sql.push_back('\n');
  }
  return out;
}

}  // namespace pantryd::migrate
