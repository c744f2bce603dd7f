// The composition root's plumbing: global options, help, and the one place where an Error becomes
// two lines on standard error and an exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <cstdio>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "cli/command.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

constexpr const char* kDefaultConfig = "/etc/pantryd/pantryd.yaml";

void print_help() {
  fmt::print(
      "pantryd: proves what a PostgreSQL database can carry, watches it, migrates it\n\n"
      "Usage: pantryd [GLOBAL OPTIONS] COMMAND [OPTIONS]\n\nCommands:\n");
  for (const auto& command : commands()) {
    fmt::print("  {:<18} {}\n", command.name, command.summary);
  }
  fmt::print(
      "\nGlobal options:\n"
      "  --config FILE      configuration (default {})\n"
      "  --dsn CONNINFO     one target, no file needed\n"
      "  --json             answer in JSON where the command can\n"
      "  --log-level LEVEL  debug, info, warn, error or off\n\n"
      "pantryd COMMAND --help tells a command's own options.\n",
      kDefaultConfig);
}

/// Global options may stand before or after the command; "--name value" and "--name=value".
struct Globals {
  Context context;
  std::string log_level;  ///< empty: info for serve, warn for commands that end by themselves
  bool help = false;
  bool version = false;
  std::vector<std::string> rest;
};

std::optional<std::string> value_of(const std::vector<std::string>& words, std::size_t& at,
                                    const std::string& name) {
  const auto& word = words[at];
  if (word == name) {
    if (at + 1 >= words.size()) {
      throw Error(ExitCode::usage, fmt::format("{} needs a value", name));
    }
    return words[++at];
  }
  if (word.rfind(name + "=", 0) == 0) return word.substr(name.size() + 1);
  return std::nullopt;
}

Globals split_globals(const std::vector<std::string>& words) {
  Globals out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const auto config = value_of(words, i, "--config")) {
      out.context.config_file = *config;
    } else if (const auto dsn = value_of(words, i, "--dsn")) {
      out.context.dsn = *dsn;
    } else if (const auto level = value_of(words, i, "--log-level")) {
      out.log_level = *level;
    } else if (words[i] == "--json") {
      out.context.json = true;
    } else if (out.rest.empty() && (words[i] == "--help" || words[i] == "-h")) {
      out.help = true;
    } else if (out.rest.empty() && words[i] == "--version") {
      out.version = true;
    } else {
      out.rest.push_back(words[i]);
    }
  }
  return out;
}

/// The command with the longest name that begins `words`; its arguments follow.
const Command* find_command(const std::vector<std::string>& words, std::size_t& used) {
  const Command* best = nullptr;
  used = 0;
  for (const auto& command : commands()) {
    const std::string_view name = command.name;
    const auto space = name.find(' ');
    const bool two = space != std::string_view::npos;
    if (words.empty() || words[0] != name.substr(0, space)) continue;
    if (two && (words.size() < 2 || words[1] != name.substr(space + 1))) continue;
    const std::size_t length = two ? 2 : 1;
    if (length > used) {
      best = &command;
      used = length;
    }
  }
  return best;
}

[[noreturn]] void fail_unknown(const std::vector<std::string>& words) {
  std::string family;
  for (const auto& command : commands()) {
    const std::string_view name = command.name;
    const auto space = name.find(' ');
    if (space != std::string_view::npos && name.substr(0, space) == words[0]) {
      family += (family.empty() ? "" : ", ") + std::string(name.substr(space + 1));
    }
  }
  if (!family.empty()) {
    throw Error(
        ExitCode::usage, fmt::format("{} needs one of: {}", words[0], family),
        fmt::format("For example: pantryd {} {}", words[0], family.substr(0, family.find(','))));
  }
  throw Error(ExitCode::usage, fmt::format("there is no command {}", words[0]),
              "pantryd --help lists the commands.");
}

int dispatch(const std::vector<std::string>& words) {
  auto globals = split_globals(words);
  if (globals.version) globals.rest = {"version"};
  if (globals.help || globals.rest.empty()) {
    print_help();
    return static_cast<int>(globals.help ? ExitCode::ok : ExitCode::usage);
  }
  if (globals.log_level.empty()) globals.log_level = globals.rest[0] == "serve" ? "info" : "warn";
  log::init(log::parse_level(globals.log_level));
  std::size_t used = 0;
  const Command* command = find_command(globals.rest, used);
  if (command == nullptr) fail_unknown(globals.rest);
  StopFlag stop;
  const StopOnSignal on_signal(stop);
  globals.context.stop = &stop;
  globals.context.progress = ::isatty(STDERR_FILENO) == 1;
  return command->run(globals.context, {globals.rest.begin() + static_cast<std::ptrdiff_t>(used),
                                        globals.rest.end()});
}

}  // namespace

int run(int argc, char** argv) {
  try {
    return dispatch({argv + std::min(argc, 1), argv + argc});
  } catch (const Error& error) {
    std::fputs(error.render().c_str(), stderr);
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fputs(Error(ExitCode::failed, error.what()).render().c_str(), stderr);
    return static_cast<int>(ExitCode::failed);
  }
}

std::optional<po::variables_map> parse(const std::string& usage,
                                       const po::options_description& options,
                                       const po::positional_options_description& positional,
                                       const std::vector<std::string>& arguments) {
  po::options_description all = options;
  all.add_options()("help,h", "this text");
  po::variables_map values;
  try {
    // No guessing: a prefix that works today would be ambiguous, or another option, tomorrow.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(
        po::command_line_parser(arguments).options(all).positional(positional).style(style).run(),
        values);
    if (values.count("help") > 0) {
      std::cout << "Usage: pantryd " << usage << "\n" << all;
      return std::nullopt;
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw Error(ExitCode::usage, error.what(),
                fmt::format("Usage: pantryd {} (--help tells more)", usage));
  }
  return values;
}

TargetSettings target_settings(const Context& context) {
  if (!context.dsn.empty()) {
    auto single = Settings::for_single_target(pg::Conninfo::parse(context.dsn));
    auto& named = single.targets.front();
    if (!context.config_file.empty()) named.pool = load_settings(context).pool;
    return std::move(named);
  }
  auto settings = load_settings(context);
  if (settings.targets.empty()) {
    throw Error(ExitCode::usage, "no target is given",
                "Name one with --dsn, or list it under targets in the configuration file.");
  }
  return std::move(settings.targets.front());
}

pg::Conninfo target(const Context& context) {
  return target_settings(context).login();
}

Settings load_settings(const Context& context) {
  if (!context.config_file.empty()) return Settings::load(context.config_file);
  if (!context.dsn.empty()) return Settings::for_single_target(pg::Conninfo::parse(context.dsn));
  if (::access(kDefaultConfig, F_OK) == 0) return Settings::load(kDefaultConfig);
  throw Error(ExitCode::usage,
              "neither --config nor --dsn is given, and there is no " + std::string(kDefaultConfig),
              "Name a target with --dsn, or a file with --config.");
}

std::chrono::milliseconds duration_option(const po::variables_map& values,
                                          const std::string& name) {
  const auto text = values[name].as<std::string>();
  const auto value = parse_duration(text);
  if (!value) {
    throw Error(ExitCode::usage, fmt::format("--{} {} is not a duration", name, text),
                "Write a number and a unit: 250ms, 30s, 5m, 2h.");
  }
  return *value;
}

}  // namespace pantryd::cli
