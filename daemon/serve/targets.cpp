// Makes a watcher of each target's settings; it keeps nothing.
#include "serve/targets.h"

#include <fmt/ranges.h>

#include "probes/backup/reader.h"

namespace pantryd {
ProbeList probe_list(const Settings& settings) {
  const auto kinds = backup_kind_names();
  for (const auto& target : settings.targets) {
    for (const auto& backup : target.backups) {
      require_known(backup.kind, "kind of backup", kinds,
                    fmt::format("The kinds of backups are {}.", fmt::join(kinds, ", ")));
    }
  }
  return ProbeList(settings.probes);
}

void check_names(const Settings& settings) {
  (void)probe_list(settings);
}

std::unique_ptr<probes::Watcher> make_watcher(
    const TargetSettings& target, const ProbeSettings& settings, const ProbeList& list,
    probes::SnapshotStore& store, Keep keep, std::shared_ptr<const probes::TargetSnapshot> before) {
  probes::WatchOptions options;
  options.connect_timeout = settings.connect_timeout;
  options.lock_timeout = settings.lock_timeout;
  options.parameters.statements_max = settings.statements_max;
  options.parameters.relations_max = settings.relations_max;
  options.databases_max = settings.databases_max;
  options.busy_share = settings.busy_share;
  options.include = target.databases.include;
  options.exclude = target.databases.exclude;
  options.with_samples = keep == Keep::values;
  probes::WatchedTarget watched;
  watched.name = target.name;
  watched.before = std::move(before);
  watched.login = [target] { return target.login(); };
  list.add_coded(target, store, watched);
  return std::make_unique<probes::Watcher>(std::move(watched), list.specs(), std::move(options),
                                           store);
}

std::vector<std::unique_ptr<probes::Watcher>> make_watchers(const Settings& settings,
                                                            probes::SnapshotStore& store,
                                                            Keep keep) {
  const auto list = probe_list(settings);
  std::vector<std::unique_ptr<probes::Watcher>> out;
  for (const auto& target : settings.targets) {
    out.push_back(make_watcher(target, settings.probes, list, store, keep));
  }
  return out;
}

}  // namespace pantryd
