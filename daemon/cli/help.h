// The texts of --help, at most 80 columns wide, and the search for the command that a person means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace pantryd::cli {

/// `pantryd help`: all commands, the global options and the common exit codes.
[[nodiscard]] std::string overview();
/// `pantryd load --help`: the commands of a group; empty if no command begins with `group`.
[[nodiscard]] std::string group_help(std::string_view group);
/// `pantryd load run --help`: usage, options, examples and exit codes.
[[nodiscard]] std::string command_help(const Command& command);

/// The help on a command, a group, or everything if `words` is empty. Throws Error(usage).
[[nodiscard]] std::string help_on(const std::vector<std::string>& words);

/// The command whose name is the longest that `words` begin with; `used` is the number of its
/// words. Throws Error(usage) if there is none, with the nearest name as the hint.
[[nodiscard]] Command find_command(const std::vector<std::string>& words, std::size_t& used);

}  // namespace pantryd::cli
