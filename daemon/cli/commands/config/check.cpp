#include <fmt/format.h>

#include "cli/subcommands.h"
#include "serve/targets.h"

namespace pantryd::cli {

int run_config_check(const Context& context, const Arguments& arguments) {
  if (!parse("config check --config FILE", {}, {}, arguments)) return 0;
  const auto settings = load_settings(context);
  check_names(settings);
  fmt::print("The configuration is valid: {} target(s), pages on {}:{}\n", settings.targets.size(),
             settings.http.address, settings.http.port);
  for (const auto& warning : settings.warnings) fmt::print("WARNING: {}\n", warning);
  return 0;
}

int run_config_show(const Context& context, const Arguments& arguments) {
  if (!parse("config show --config FILE", {}, {}, arguments)) return 0;
  const auto settings = load_settings(context);
  check_names(settings);
  fmt::print("{}", settings.show());
  return 0;
}

}  // namespace pantryd::cli
