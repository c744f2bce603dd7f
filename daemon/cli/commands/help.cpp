// The help command: the same texts as --help.
#include "cli/help.h"

#include <cstdio>

#include "cli/command.h"

namespace pantryd::cli {
namespace {

int run_help(const Context&, const Values& values) {
  std::fputs(help_on(values.texts("command")).c_str(), stdout);
  return 0;
}

}  // namespace

Command help_command() {
  return {.name = "help",
          .summary = "explain a command, a group of commands, or list them all",
          .usage = "[COMMAND]",
          .options = {arguments("command", "COMMAND", "a command or the first word of a group")},
          .examples = {"pantryd help migrate up"},
          .exits = {},
          .run = run_help};
}

}  // namespace pantryd::cli
