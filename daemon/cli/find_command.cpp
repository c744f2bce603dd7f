// Finds a command by its words. A name that does not exist is answered with the nearest one.
#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "cli/help.h"

namespace pantryd::cli {
namespace {

bool is_bare(const std::string& word) {
  return !word.empty() && word[0] != '-';
}

struct Names {
  std::set<std::string> whole;   ///< "seed", "load run"
  std::set<std::string> first;   ///< "seed", "load"
  std::set<std::string> second;  ///< of the group that the words name: "run", "compare"
};

Names names_for(const std::string& group) {
  Names out;
  for (const auto& command : commands()) {
    const std::string name(command.name);
    const auto space = name.find(' ');
    out.whole.insert(name);
    out.first.insert(name.substr(0, space));
    if (space != std::string::npos && name.substr(0, space) == group) {
      out.second.insert(name.substr(space + 1));
    }
  }
  return out;
}

/// The nearest command or group; empty if nothing is near.
std::string meant(const Names& names, const std::vector<std::string>& words) {
  if (words.size() > 1 && is_bare(words[1])) {
    auto whole = nearest(words[0] + " " + words[1], names.whole);
    if (!whole.empty()) return whole;
  }
  return nearest(words[0], names.first);
}

[[noreturn]] void refuse(const std::vector<std::string>& words) {
  const auto names = names_for(words[0]);
  if (names.second.empty()) {
    const auto close = meant(names, words);
    throw Error(ExitCode::usage, fmt::format("no command \"{}\"", words[0]),
                close.empty() ? "pantryd help lists the commands."
                              : fmt::format("Did you mean {}?", close));
  }
  const auto list = fmt::format("Choose one of: {}.", fmt::join(names.second, ", "));
  if (words.size() == 1 || !is_bare(words[1])) {
    throw Error(ExitCode::usage, fmt::format("{} needs a subcommand", words[0]), list);
  }
  const auto close = nearest(words[1], names.second);
  throw Error(ExitCode::usage, fmt::format("no command \"{} {}\"", words[0], words[1]),
              close.empty() ? list : fmt::format("Did you mean {} {}?", words[0], close));
}

}  // namespace

Command find_command(const std::vector<std::string>& words, std::size_t& used) {
  const auto all = commands();
  const Command* best = nullptr;
  used = 0;
  for (const auto& command : all) {
    const std::size_t length = command.name.find(' ') == std::string_view::npos ? 1 : 2;
    if (words.size() < length || length <= used) continue;
    if (command.name != (length == 1 ? words[0] : words[0] + " " + words[1])) continue;
    best = &command;
    used = length;
  }
  if (best == nullptr) refuse(words);
  return *best;
}

}  // namespace pantryd::cli
