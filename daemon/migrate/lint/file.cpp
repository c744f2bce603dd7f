// Reads leniently: sections may be missing or repeated, and options that lint does not need may be
// wrong. Only an allowance that would silence nothing or too much is refused.
#include "migrate/lint/file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "migrate/lint/linter.h"

namespace pantryd::migrate {
namespace {

Allowance require_allowance(const std::string& name, const FileLine& line) {
  if (!line.open) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}: an option below a statement", name, line.number),
                "Options stand above the statements of their section.");
  }
  auto out = read_allowance(line.header->value, line.number);
  if (find_lint_rule(out.rule) == nullptr) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}: there is no rule \"{}\"", name, line.number, out.rule),
                "pantryd migrate lint --rules lists the rules.");
  }
  if (out.reason.empty()) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}: {} is allowed without a reason", name, line.number, out.rule),
                fmt::format("Write \"-- migrate:allow {} because REASON\".", out.rule));
  }
  return out;
}

bool has_up_section(std::string_view text) {
  bool out = false;
  each_line(text, [&](const FileLine& line) {
    out = out || (line.header && line.header->kind == HeaderKind::up);
  });
  return out;
}

}  // namespace

LintFile read_lint_file(const std::string& name, std::string_view raw) {
  LintFile out;
  out.name = name;
  const auto text = unix_lines(raw);
  const auto first = has_up_section(text) ? Section::up : Section::above;
  each_line(text, [&](const FileLine& line) {
    if (line.header && line.header->kind == HeaderKind::no_transaction &&
        line.section != Section::down) {
      out.in_transaction = false;
    } else if (line.header && line.header->kind == HeaderKind::allow) {
      out.allows.push_back(require_allowance(name, line));
    }
    if (line.section == first) out.sql.append(line.text);
    out.sql.push_back('\n');
  });
  return out;
}

}  // namespace pantryd::migrate
