// The config show command: the settings in force as YAML, with passwords masked; or a template of
// the file and the reference of its keys, which need no configuration.
#include <fmt/format.h>

#include "cli/command.h"
#include "serve/targets.h"
#include "settings/keys.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

int run_config_show(const Context& context, const Values& values) {
  if (values.flag("template")) {
    fmt::print("{}", settings_template());
  } else if (values.flag("markdown")) {
    fmt::print("{}", settings_reference());
  } else {
    const auto settings = load_settings(context);
    check_names(settings);
    fmt::print("{}", settings.show());
  }
  return 0;
}

}  // namespace

Command config_show_command() {
  return {.name = "config show",
          .summary = "print the settings in force, without secrets",
          .usage = "[--config FILE] [--template | --markdown]",
          .options = {flag("template", "print a file with every key, its meaning and its default"),
                      flag("markdown", "print the text of docs/configuration.md")},
          .examples = {"pantryd config show --config /etc/pantryd/pantryd.yaml"},
          .exits = {},
          .run = run_config_show};
}

}  // namespace pantryd::cli
