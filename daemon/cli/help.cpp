// Writes the help texts from the rows of the commands. Invariant: no line is wider than
// kColumns, unless one word alone is.
#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cli/option_bounds.h"

namespace pantryd::cli {
namespace {

using Kind = Option::Kind;

constexpr std::size_t kColumns = 80;
constexpr char kNoBreak = '\x1f';
constexpr std::size_t kLeft = 24;  ///< where the right column begins

const std::vector<Exit>& common_exits() {
  static const std::vector<Exit> list{
      {0, "done"},
      {1, "failed"},
      {2, "wrong usage or configuration"},
  };
  return list;
}

/// All that any command may exit with, for the overview.
const std::vector<Exit>& all_exits() {
  static const std::vector<Exit> list{
      {0, "done, or every claim PASS"},
      {1, "failed, or a claim FAIL"},
      {2, "wrong usage or configuration"},
      {3, "migrations are pending"},
      {4, "drift"},
      {5, "a lock was not obtained"},
      {6, "lint refused a migration"},
      {7, "no FAIL, but something INCONCLUSIVE or INVALID"},
      kUnreachable,
      kUnwritten,
  };
  return list;
}

/// Appends the words of `text`; lines after the first begin with `indent` spaces. `column` is where
/// the next character goes.
void wrap(std::string& out, std::size_t column, std::size_t indent, std::string_view text) {
  bool first = true;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    const auto word = text.substr(at, end - at);
    at = end + 1;
    if (!first && column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    first = false;
  }
  out += '\n';
}

/// The same text with spaces at which wrap() does not break inside of brackets.
std::string keep_brackets_whole(std::string text) {
  int depth = 0;
  for (auto& each : text) {
    depth += each == '[' ? 1 : each == ']' ? -1 : 0;
    if (each == ' ' && depth > 0) each = kNoBreak;
  }
  return text;
}

void two_columns(std::string& out, const std::string& left, std::string_view right) {
  out += "  " + left;
  auto column = 2 + left.size();
  if (column + 2 > kLeft) {
    out += '\n';
    column = 0;
  }
  out += std::string(kLeft - column, ' ');
  wrap(out, kLeft, kLeft, right);
}

std::string left_of(const Option& option) {
  switch (option.kind) {
    case Kind::flag:
      return fmt::format("--{}", option.name);
    case Kind::texts:
      return fmt::format("--{} {}...", option.name, option.value);
    case Kind::argument:
      return std::string(option.value);
    case Kind::arguments:
      return fmt::format("{}...", option.value);
    case Kind::command:
      return fmt::format("-- {}", option.value);
    default:
      return fmt::format("--{} {}", option.name, option.value);
  }
}

std::string right_of(const Option& option) {
  std::string out(option.help);
  std::string more;
  if (!option.fallback.empty()) more = fmt::format("default {}", option.fallback);
  if (has_bounds(option) && !std::isinf(option.bounds.most)) {
    more += (more.empty() ? "" : "; ") + bounds_text(option);
  }
  if (!more.empty()) out += " (" + more + ")";
  return out;
}

bool is_positional(const Option& option) {
  return option.kind == Kind::argument || option.kind == Kind::arguments ||
         option.kind == Kind::command;
}

void print_rows(std::string& out, const char* title, const std::vector<Option>& options,
                bool arguments) {
  bool any = false;
  for (const auto& option : options) {
    if (is_positional(option) != arguments) continue;
    if (!any) out += fmt::format("\n{}:\n", title);
    any = true;
    two_columns(out, left_of(option), right_of(option));
  }
}

void print_exits(std::string& out, const std::vector<Exit>& exits) {
  out += "\nExit codes:\n";
  for (const auto& each : exits) {
    out += fmt::format("  {}  ", each.code);
    wrap(out, 5, 5, each.meaning);
  }
}

void list_commands(std::string& out, std::string_view prefix) {
  out += "\nCommands:\n";
  for (const auto& command : commands()) {
    if (command.name.substr(0, prefix.size()) != prefix) continue;
    two_columns(out, std::string(command.name), command.summary);
  }
}

/// A sentence begins with a capital and ends with a full stop; a summary has neither.
std::string sentence(std::string_view summary) {
  std::string out(summary);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out + ".";
}

/// An example is one command line; where it is too wide, it continues after a backslash.
void print_example(std::string& out, std::string_view example) {
  std::string line = "  ";
  for (std::size_t at = 0; at < example.size();) {
    const auto end = std::min(example.find(' ', at), example.size());
    const auto word = example.substr(at, end - at);
    at = end + 1;
    if (line.size() + word.size() + 3 > kColumns) {
      out += line + "\\\n";
      line = "    ";
    }
    line += std::string(word) + (end < example.size() ? " " : "");
  }
  out += line + "\n";
}

}  // namespace

std::string overview() {
  std::string out =
      "Shows what a PostgreSQL database can carry, watches it and migrates it.\n\n"
      "Usage: pantryd [GLOBAL OPTIONS] COMMAND [OPTIONS]\n";
  list_commands(out, "");
  print_rows(out, "Global options, before or after the command", global_options(), false);
  print_exits(out, all_exits());
  out += "\npantryd help COMMAND explains one command, its options and its exit codes.\n";
  return out;
}

std::string group_help(std::string_view group) {
  const auto prefix = std::string(group) + " ";
  const auto all = commands();
  if (std::none_of(all.begin(), all.end(), [&](const Command& command) {
        return command.name.substr(0, prefix.size()) == prefix;
      })) {
    return "";
  }
  auto out = fmt::format("Usage: pantryd {} COMMAND [OPTIONS]\n", group);
  list_commands(out, prefix);
  out += fmt::format("\npantryd {} COMMAND --help explains one of them.\n", group);
  return out;
}

std::string command_help(const Command& command) {
  std::string out = "Usage: ";
  wrap(out, 7, 9, keep_brackets_whole(fmt::format("pantryd {} {}", command.name, command.usage)));
  std::replace(out.begin(), out.end(), kNoBreak, ' ');
  out += '\n';
  wrap(out, 0, 0, sentence(command.summary));
  print_rows(out, "Arguments", command.options, true);
  print_rows(out, "Options", command.options, false);
  out += "\nGlobal options: --config, --dsn, --json, --log-level (see pantryd help).\n";
  out += command.examples.size() == 1 ? "\nExample:\n" : "\nExamples:\n";
  for (const auto example : command.examples) print_example(out, example);
  auto exits = command.exits;
  for (const auto& common : common_exits()) {
    const bool replaced = std::any_of(exits.begin(), exits.end(),
                                      [&](const Exit& each) { return each.code == common.code; });
    if (!replaced) exits.push_back(common);
  }
  std::sort(exits.begin(), exits.end(),
            [](const Exit& a, const Exit& b) { return a.code < b.code; });
  print_exits(out, exits);
  return out;
}

std::string help_on(const std::vector<std::string>& words) {
  if (words.empty()) return overview();
  if (words.size() == 1) {
    const auto group = group_help(words[0]);
    if (!group.empty()) return group;
  }
  std::size_t used = 0;
  return command_help(find_command(words, used));
}

}  // namespace pantryd::cli
