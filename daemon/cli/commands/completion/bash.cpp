// The completion bash command: writes bash's completion from the rows of the commands, so that it
// can never name an option that does not exist.
#include <fmt/format.h>

#include <set>

#include "cli/command.h"

namespace pantryd::cli {
namespace {

using Kind = Option::Kind;

std::string spaced(const std::set<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// Commands and groups that begin with `prefix`, without it.
std::set<std::string> next_words(const std::vector<Command>& all, const std::string& prefix) {
  std::set<std::string> out;
  for (const auto& command : all) {
    if (command.name.substr(0, prefix.size()) != prefix) continue;
    const auto rest = command.name.substr(prefix.size());
    out.emplace(rest.substr(0, rest.find(' ')));
  }
  return out;
}

std::set<std::string> names_of(const std::vector<Option>& options) {
  std::set<std::string> out;
  for (const auto& option : options) {
    if (option.kind != Kind::argument && option.kind != Kind::arguments &&
        option.kind != Kind::command) {
      out.insert("--" + std::string(option.name));
    }
  }
  return out;
}

/// One row for each option with a value: its choices, or nothing, so that bash completes files.
std::string value_rows(const std::string& command, const std::vector<Option>& options) {
  std::string out;
  for (const auto& option : options) {
    if (option.kind == Kind::flag || names_of({option}).empty()) continue;
    const auto words =
        option.kind == Kind::choice ? choices(option) : std::vector<std::string_view>();
    out +=
        fmt::format("    {}' --{}') words='{}' ;;\n", command, option.name, fmt::join(words, " "));
  }
  return out;
}

std::string script() {
  const auto all = commands();
  std::set<std::string> names;
  std::string word_rows;
  std::string choice_rows;
  for (const auto& command : all) {
    const std::string name(command.name);
    names.insert(fmt::format("'{}'", name));
    word_rows += fmt::format("    '{}') words='{} --help' ;;\n", name,
                             spaced(names_of(concat({command.options, global_options()}))));
    choice_rows += value_rows(fmt::format("'{}'", name), command.options);
    const auto space = name.find(' ');
    if (space == std::string::npos) continue;
    const auto group = name.substr(0, space);
    if (!names.insert(fmt::format("'{}'", group)).second) continue;
    word_rows += fmt::format("    '{}') words='{} --help' ;;\n", group,
                             spaced(next_words(all, group + " ")));
  }
  return fmt::format(
      R"(# Completes commands and options in bash; written by: pantryd completion bash
# shellcheck shell=bash
_pantryd() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} last=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command='' words='' each i
  for ((i = 1; i < COMP_CWORD; i++)); do
    each=${{command:+$command }}${{COMP_WORDS[i]}}
    case $each in
      {}) command=$each ;;
    esac
  done
  case $command in
    '') words='{} {} --help' ;;
{}  esac
  case "$command $last" in
{}{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _pantryd pantryd
)",
      fmt::join(names, " | "), spaced(next_words(all, "")), spaced(names_of(global_options())),
      word_rows, choice_rows, value_rows("*", global_options()));
}

int run_completion_bash(const Context&, const Values&) {
  fmt::print("{}", script());
  return 0;
}

}  // namespace

Command completion_bash_command() {
  return {.name = "completion bash",
          .summary = "print the completion of commands and options for bash",
          .usage = "",
          .options = {},
          .examples = {"pantryd completion bash"},
          .exits = {},
          .run = run_completion_bash};
}

}  // namespace pantryd::cli
