// The frame of every command: global options, help, and the one place where an Error becomes two
// lines on standard error and an exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/log.h"
#include "base/stop.h"
#include "cli/command.h"
#include "cli/help.h"

namespace pantryd::cli {
namespace {

constexpr const char* kUsageHint = "pantryd help lists the commands and the global options.";

struct Split {
  std::vector<std::string> globals;
  std::vector<std::string> rest;  ///< the command and what belongs to it
  bool help = false;
};

/// Global options may stand before or after the command, but not behind "--".
Split split(const std::vector<std::string>& words) {
  Split out;
  const auto end = std::find(words.begin(), words.end(), "--");
  for (auto at = words.begin(); at != end; ++at) {
    const auto& options = global_options();
    const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
      const auto name = "--" + std::string(option.name);
      return *at == name || at->rfind(name + "=", 0) == 0;
    });
    if (found != options.end()) {
      out.globals.push_back(*at);
      const bool value_follows =
          found->kind != Option::Kind::flag && at->find('=') == std::string::npos;
      if (value_follows && at + 1 != end) out.globals.push_back(*++at);
    } else if (*at == "--help" || *at == "-h") {
      out.help = true;
    } else {
      out.rest.push_back(*at);
    }
  }
  out.rest.insert(out.rest.end(), end, words.end());
  return out;
}

Context context_of(const Values& globals) {
  Context out;
  out.config_file = globals.text("config");
  out.dsn = globals.text("dsn");
  out.json = globals.flag("json");
  out.progress = ::isatty(STDERR_FILENO) == 1;
  return out;
}

int print(const std::string& text, ExitCode code) {
  std::fputs(text.c_str(), stdout);
  return static_cast<int>(code);
}

int dispatch(const std::vector<std::string>& words) {
  auto line = split(words);
  if (line.rest == std::vector<std::string>{"--version"}) line.rest = {"version"};
  const auto globals = parse(global_options(), line.globals, kUsageHint);
  if (!line.rest.empty() && line.rest[0].rfind('-', 0) == 0) {
    (void)parse(global_options(), {line.rest[0]}, kUsageHint);  // throws, with a suggestion
  }
  if (line.help) {
    std::erase_if(line.rest, [](const std::string& word) { return word.rfind('-', 0) == 0; });
    return print(help_on(line.rest), ExitCode::ok);
  }
  if (line.rest.empty()) return print(overview(), ExitCode::usage);
  std::size_t used = 0;
  const auto command = find_command(line.rest, used);
  line.rest.erase(line.rest.begin(), line.rest.begin() + static_cast<std::ptrdiff_t>(used));
  const auto values = parse(command.options, line.rest, usage_hint(command));
  const bool runs_on = command.name == "serve";
  log::init(log::parse_level(globals.given("log-level") ? globals.text("log-level")
                             : runs_on                  ? "info"
                                                        : "warn"));
  StopFlag stop;
  const StopOnSignal on_signal(stop);
  auto context = context_of(globals);
  context.stop = &stop;
  return command.run(context, values);
}

/// What was printed before comes first, also where both streams go to one file.
int report(const Error& error) {
  std::fflush(stdout);
  std::fputs(error.render().c_str(), stderr);
  return static_cast<int>(error.code());
}

}  // namespace

const std::vector<Option>& global_options() {
  static const std::vector<Option> list{
      text("config", "FILE", "", "the configuration; default /etc/pantryd/pantryd.yaml"),
      text("dsn", "CONNINFO", "", "the server to use; with it no configuration is needed"),
      flag("json", "print JSON where the command can"),
      choice("log-level", "debug|info|warn|error|off", "",
             "how much to log; default info for serve, warn for all others"),
  };
  return list;
}

std::string usage_hint(const Command& command) {
  return fmt::format("Usage: pantryd {} {} (--help explains the options).", command.name,
                     command.usage);
}

int run(int argc, char** argv) {
  try {
    return dispatch({argv + std::min(argc, 1), argv + argc});
  } catch (const Error& error) {
    return report(error);
  } catch (const std::exception& error) {
    return report(Error(ExitCode::failed, error.what()));
  }
}

}  // namespace pantryd::cli
