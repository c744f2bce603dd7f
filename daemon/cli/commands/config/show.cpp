// The config show command: the settings in force as YAML, with passwords masked.
#include <fmt/format.h>

#include "cli/command.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

int run_config_show(const Context& context, const Values&) {
  fmt::print("{}", load_settings(context).show());
  return 0;
}

}  // namespace

Command config_show_command() {
  return {.name = "config show",
          .summary = "print the settings in force, without secrets",
          .usage = "[--config FILE]",
          .options = {},
          .examples = {"pantryd config show --config /etc/pantryd/pantryd.yaml"},
          .exits = {},
          .run = run_config_show};
}

}  // namespace pantryd::cli
