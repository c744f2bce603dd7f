// The config check command: reads the configuration as serve would, and starts nothing.
#include <fmt/format.h>

#include "cli/command.h"
#include "serve/targets.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

int run_config_check(const Context& context, const Values&) {
  const auto settings = load_settings(context);
  check_names(settings);
  fmt::print("The configuration is valid: {} target(s), pages on {}\n", settings.targets.size(),
             settings.http.listen.text());
  for (const auto& warning : settings.warnings) fmt::print("WARNING: {}\n", warning);
  return 0;
}

}  // namespace

Command config_check_command() {
  return {.name = "config check",
          .summary = "validate the configuration file",
          .usage = "[--config FILE]",
          .options = {},
          .examples = {"pantryd config check --config /etc/pantryd/pantryd.yaml"},
          .exits = {},
          .run = run_config_check};
}

}  // namespace pantryd::cli
