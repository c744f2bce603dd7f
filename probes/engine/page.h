// A page of metrics from snapshots: the families of every target, and what the daemon says of
// itself. Pure: no server, no clock but the one passed in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// postgres_exporter calls pg_stat_database_xact_commit a counter, which `promtool check metrics`
/// refuses for want of "_total". Prometheus computes the same from an untyped series.
enum class TypeStyle {
  lint_clean,  ///< types that promtool's linter refuses for their names are told as untyped
  as_declared  ///< the types of postgres_exporter, as they are
};

/// Both hold the same series: text 0.0.4 and OpenMetrics 1.0.
enum class PageFormat { text, openmetrics };

struct PageInputs {
  std::vector<std::shared_ptr<const TargetSnapshot>> targets;
  std::string version;
  WallClock::time_point now;
  TypeStyle types = TypeStyle::lint_clean;
  std::optional<SnapshotStore::Reload> reload;
  PageFormat format = PageFormat::text;
};

/// The daemon's own families, then those of the probes sorted by name. What the probes told is text
/// already; a page of 50,000 series is put together in milliseconds.
[[nodiscard]] std::string render_page(const PageInputs& inputs);

/// Every family that render_page makes by itself, for the list of metrics.
[[nodiscard]] std::vector<MetricInfo> own_metrics();

}  // namespace pantryd::probes
