// From settings to watchers: which probes a target gets, and how its backups become one.
#pragma once

#include <memory>
#include <vector>

#include "probes/engine/watcher.h"
#include "settings/settings.h"

namespace pantryd {

/// One watcher a target, in the order of the settings; none is started.
[[nodiscard]] std::vector<std::unique_ptr<probes::Watcher>> make_watchers(
    const Settings& settings, probes::SnapshotStore& store);

/// The probe called "backup": looks at the target's folders of backups.
[[nodiscard]] probes::LocalProbe backup_probe(const std::vector<BackupSettings>& backups);

/// Names, types and help of what the backup probe tells.
[[nodiscard]] std::vector<probes::MetricInfo> backup_metrics();

}  // namespace pantryd
