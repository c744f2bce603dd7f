// A subcommand is one file below daemon/cli/commands that ends in a function which returns a
// Command. The path gives the function's name: commands/load/find_max.cpp defines
//
//   Command load_find_max_command() { return {.name = "load find-max", ...}; }
//
// CMake lists the folder and writes the table (daemon/cli/commands.cmake), so that no other file
// names a command. A folder is a group of commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/options.h"

namespace pantryd::cli {

struct Exit {
  int code;
  std::string_view meaning;
};

/// Of every command that connects to a server.
inline constexpr Exit kUnreachable{8, "the server cannot be reached or refuses us"};
/// Of every command that writes its result to files.
inline constexpr Exit kUnwritten{9, "the result was printed, but could not be written to its file"};

struct Command {
  std::string_view name;     ///< "sandbox", or "load run" as two words
  std::string_view summary;  ///< one line for the list of commands, without a full stop
  std::string_view usage;    ///< what follows the name: "[--dir DIR] FILE..."
  std::vector<Option> options;
  std::vector<std::string_view> examples;  ///< at least one, each a whole command line
  std::vector<Exit> exits;                 ///< in place of, or beyond, 0, 1 and 2
  int (*run)(const Context& context, const Values& values);
};

/// All subcommands, sorted by name.
[[nodiscard]] std::vector<Command> commands();

/// The options that every command has: --config, --dsn, --json, --log-level.
[[nodiscard]] const std::vector<Option>& global_options();

/// "Usage: pantryd NAME USAGE (pantryd NAME --help explains the options)", a hint of errors.
[[nodiscard]] std::string usage_hint(const Command& command);

/// Runs one command line; the exit code of the process. Never throws: an Error is printed as one
/// line and its hint.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace pantryd::cli
