// From settings to watchers: which probes a target gets, and how its backups become one.
#pragma once

#include <memory>
#include <vector>

#include "probes/engine/watcher.h"
#include "settings/settings.h"

namespace pantryd {

/// What a look leaves behind: text for a page, or values besides, for who judges them.
enum class Keep { text, values };

/// Throws Error(usage) with FILE:LINE:COLUMN for a name that the settings cannot check themselves:
/// a kind of backup that does not exist.
void check_names(const Settings& settings);

/// The probes of the binary and the operator's own. Throws Error(usage).
[[nodiscard]] std::shared_ptr<const std::vector<probes::ProbeSpec>> probe_specs(
    const Settings& settings);

/// Not started.
[[nodiscard]] std::unique_ptr<probes::Watcher> make_watcher(
    const TargetSettings& target, const Settings& settings,
    std::shared_ptr<const std::vector<probes::ProbeSpec>> specs, probes::SnapshotStore& store,
    Keep keep = Keep::text, std::shared_ptr<const probes::TargetSnapshot> before = nullptr);

/// One watcher a target, in the order of the settings; none is started. Throws Error(usage) for an
/// operator's probe file that is none.
[[nodiscard]] std::vector<std::unique_ptr<probes::Watcher>> make_watchers(
    const Settings& settings, probes::SnapshotStore& store, Keep keep = Keep::text);

/// The probe called "backup": looks at the target's folders of backups.
[[nodiscard]] probes::LocalProbe backup_probe(const std::vector<BackupSettings>& backups);

/// Names, types and help of what the backup probe tells.
[[nodiscard]] std::vector<probes::MetricInfo> backup_metrics();

}  // namespace pantryd
