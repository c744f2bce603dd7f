// From settings to watchers: one watcher a target, with the probes that the settings want.
#pragma once

#include <memory>
#include <vector>

#include "probes/engine/watcher.h"
#include "serve/probe_list.h"
#include "settings/settings.h"

namespace pantryd {

/// What a look leaves behind: text for a page, or values besides, for who judges them.
enum class Keep { text, values };

/// Throws Error(usage), with FILE:LINE:COLUMN, for a name in the settings that nothing has: a probe
/// or a kind of backup; and for an operator's probe file that is invalid.
[[nodiscard]] ProbeList probe_list(const Settings& settings);
/// The same checks alone.
void check_names(const Settings& settings);

/// Not started.
[[nodiscard]] std::unique_ptr<probes::Watcher> make_watcher(
    const TargetSettings& target, const ProbeSettings& settings, const ProbeList& list,
    probes::SnapshotStore& store, Keep keep = Keep::text,
    std::shared_ptr<const probes::TargetSnapshot> before = nullptr);

/// One watcher a target, in the order of the settings; none is started. Throws Error(usage) for an
/// operator's probe file that is none.
[[nodiscard]] std::vector<std::unique_ptr<probes::Watcher>> make_watchers(
    const Settings& settings, probes::SnapshotStore& store, Keep keep = Keep::text);

}  // namespace pantryd
