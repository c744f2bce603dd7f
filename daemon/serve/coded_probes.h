// The probes that are code, and which of them a target gets.
#pragma once

#include <memory>
#include <vector>

#include "probes/engine/coded.h"
#include "probes/engine/watcher.h"
#include "settings/settings.h"

namespace pantryd {

/// For the list of metrics: all that there are but "backup" and "migrations".
[[nodiscard]] std::vector<probes::CodedDescription> coded_probes();

/// Gives `watched` those that the settings want. `store` must outlive the watcher: it tells which
/// statements are on the page.
void add_coded_probes(const TargetSettings& target, const ProbeSettings& settings,
                      const std::vector<probes::ProbeSpec>& specs,
                      const probes::SnapshotStore& store, probes::WatchedTarget& watched);

}  // namespace pantryd
