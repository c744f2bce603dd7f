// A page of metrics from snapshots: the families of every target, and what the daemon says of
// itself. Pure: no server, no clock but the one passed in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

struct PageInputs {
  std::vector<std::shared_ptr<const TargetSnapshot>> targets;
  std::string version;
  WallClock::time_point now;
};

/// Prometheus text format 0.0.4, families sorted by name. A series that is there twice is told
/// once: one bad family never costs the page.
[[nodiscard]] std::string render_page(const PageInputs& inputs);

/// Every family that render_page makes by itself, for the list of metrics.
[[nodiscard]] std::vector<MetricInfo> own_metrics();

}  // namespace pantryd::probes
