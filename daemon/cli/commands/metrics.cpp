#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "cli/look.h"
#include "cli/subcommands.h"
#include "probes/engine/page.h"
#include "serve/targets.h"

namespace pantryd::cli {

std::vector<std::shared_ptr<const probes::TargetSnapshot>> look_once(const Settings& settings,
                                                                     const StopFlag* stop) {
  probes::SnapshotStore store;
  const auto watchers = make_watchers(settings, store, Keep::values);
  std::vector<std::jthread> threads;
  threads.reserve(watchers.size());
  for (const auto& watcher : watchers) {
    threads.emplace_back([&watcher, stop] { watcher->run_all_once(stop); });
  }
  threads.clear();  // joins
  return store.all();
}

int run_metrics(const Context& context, const Arguments& arguments) {
  if (!parse("metrics [--dsn CONNINFO]", {}, {}, arguments)) return 0;
  const auto targets = look_once(load_settings(context), context.stop);
  fmt::print("{}", probes::render_page({targets, PANTRYD_VERSION, probes::WallClock::now()}));
  const bool any_up =
      std::any_of(targets.begin(), targets.end(), [](const auto& target) { return target->up; });
  if (any_up) return 0;
  throw Error(ExitCode::unreachable, targets.front()->down_reason,
              "pantryd check tells what each target answers.");
}

}  // namespace pantryd::cli
