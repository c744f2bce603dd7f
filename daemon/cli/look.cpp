// Runs every probe of every target once, on one thread a target.
#include "cli/look.h"

#include <thread>

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

}  // namespace pantryd::cli
