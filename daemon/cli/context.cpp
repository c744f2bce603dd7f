// Finds the settings and the target that the global options name. It keeps nothing.
#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

constexpr const char* kNameATarget =
    "Name one with --dsn, or list it under targets in the configuration file.";

}  // namespace

Settings load_settings(const Context& context) {
  if (!context.config_file.empty()) return Settings::load(context.config_file);
  if (!context.dsn.empty()) return Settings::for_single_target(pg::Conninfo::parse(context.dsn));
  if (::access(kDefaultConfig, F_OK) == 0) return Settings::load(kDefaultConfig);
  throw Error(
      ExitCode::usage,
      fmt::format("neither --config nor --dsn is given, and {} does not exist", kDefaultConfig),
      "Name a target with --dsn, or a file with --config.");
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
    throw Error(ExitCode::usage, "the configuration lists no target", kNameATarget);
  }
  return std::move(settings.targets.front());
}

pg::Conninfo target(const Context& context) {
  return target_settings(context).login();
}

}  // namespace pantryd::cli
