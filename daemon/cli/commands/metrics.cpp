// The metrics command: one collection, printed as /metrics would serve it.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/command.h"
#include "cli/look.h"
#include "probes/engine/page.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

int run_metrics(const Context& context, const Values&) {
  const auto targets = look_once(load_settings(context), context.stop);
  if (targets.empty()) {
    throw Error(ExitCode::usage, "the configuration lists no target", "Name one with --dsn.");
  }
  fmt::print("{}", probes::render_page({targets, PANTRYD_VERSION, probes::WallClock::now()}));
  const bool any_up =
      std::any_of(targets.begin(), targets.end(), [](const auto& target) { return target->up; });
  if (any_up) return 0;
  throw Error(ExitCode::unreachable, targets.front()->down_reason,
              "pantryd check shows what each target answers.");
}

}  // namespace

Command metrics_command() {
  return {.name = "metrics",
          .summary = "print one collection in Prometheus' text format",
          .usage = "[--dsn CONNINFO]",
          .options = {},
          .examples = {"pantryd metrics --dsn postgresql://127.0.0.1/shop"},
          .exits = {{8, "no target can be reached, or all refuse us"}},
          .run = run_metrics};
}

}  // namespace pantryd::cli
