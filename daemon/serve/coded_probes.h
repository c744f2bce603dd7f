// The probes that are code, one row each in coded_probes.cpp. To add one: a file with its
// description and its probe, and a row.
#pragma once

#include <span>
#include <vector>

#include "probes/engine/description.h"
#include "probes/engine/watcher.h"
#include "settings/settings.h"

namespace pantryd {

/// What a coded probe of a target may be made of.
struct ProbeContext {
  const TargetSettings& target;
  const ProbeSettings& settings;
  const std::vector<probes::ProbeSpec>& specs;  ///< the SQL probes that run
  const probes::SnapshotStore& store;           ///< outlives the probe
};

struct CodedProbe {
  const probes::ProbeDescription& (*description)();
  /// Adds the probe to what is watched. Adds nothing if the target lacks what the probe looks at.
  void (*add)(const ProbeContext& context, probes::WatchedTarget& watched);
  /// A key of its own that enables the probe; null if there is none.
  bool (*enabled_by)(const ProbeSettings& settings) = nullptr;
};

[[nodiscard]] std::span<const CodedProbe> coded_probe_table();
/// Their descriptions, in the order of the table.
[[nodiscard]] std::vector<probes::ProbeDescription> coded_probes();

}  // namespace pantryd
