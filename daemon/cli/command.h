// A subcommand is one function in one file of this folder, listed in commands.cpp.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "pg/conninfo.h"
#include "settings/settings.h"

namespace pantryd::cli {

namespace po = boost::program_options;

/// What every subcommand gets: the global options and the person's Ctrl-C.
struct Context {
  std::filesystem::path config_file;  ///< empty: the default path, if it exists
  std::string dsn;                    ///< of --dsn; empty: the configuration's first target
  bool json = false;
  bool progress = false;  ///< standard error is a terminal
  const StopFlag* stop = nullptr;
};

struct Command {
  const char* name;     ///< "sandbox", or "load run" as two words
  const char* summary;  ///< for the list in --help
  int (*run)(const Context& context, const std::vector<std::string>& arguments);
};

/// All subcommands, sorted by name.
[[nodiscard]] std::span<const Command> commands();

/// Parses global options and runs one subcommand; the exit code of the process.
/// Never throws: an Error is printed as one line and its hint.
[[nodiscard]] int run(int argc, char** argv);

/// Parses the arguments of a subcommand. Prints the help and returns nullopt for --help.
/// Throws Error(usage) for what it does not know, naming the option.
[[nodiscard]] std::optional<po::variables_map> parse(
    const std::string& usage, const po::options_description& options,
    const po::positional_options_description& positional,
    const std::vector<std::string>& arguments);

/// The server a one-target command talks to: --dsn, with the pool of --config if both are given,
/// else the first target of the configuration.
/// Throws Error(usage) when there is neither.
[[nodiscard]] TargetSettings target_settings(const Context& context);
[[nodiscard]] pg::Conninfo target(const Context& context);

/// --config, else --dsn alone, else the default file. Throws Error(usage).
[[nodiscard]] Settings load_settings(const Context& context);

/// An option's text as a duration; throws Error(usage) that names the option.
[[nodiscard]] std::chrono::milliseconds duration_option(const po::variables_map& values,
                                                        const std::string& name);

}  // namespace pantryd::cli
