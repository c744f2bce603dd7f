// A probe as data: probes/*.yaml, compiled in. What SQL can say needs no code.
//
//   name: database                 summary: one sentence
//   interval: 15s                  timeout: 5s
//   roles: [primary, standby]      (default: both)
//   extension: pg_stat_statements  (default: none needed)
//   queries:
//     - sql: SELECT ...            or a list of {versions: "14-16", text: ...}
//       parameters: [statements_max]
//       labels: [datname]          columns that become labels, for each metric below
//       metrics:
//         - {name: pg_x, column: x, type: counter, help: "..."}
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

struct VersionedSql {
  int major_min = 0;
  int major_max = 9999;
  std::string text;
};

struct MetricColumn {
  std::shared_ptr<const MetricInfo> metric;
  std::string column;
};

struct QuerySpec {
  std::vector<VersionedSql> sql;
  std::vector<std::string> parameters;  ///< names of ProbeParameters, bound as $1, $2, ...
  std::vector<std::string> labels;
  std::vector<MetricColumn> metrics;

  /// Null when this version has no such query.
  [[nodiscard]] const VersionedSql* for_major(int major) const;
};

struct ProbeSpec {
  std::string name;
  std::string summary;
  std::chrono::milliseconds interval{15'000};
  std::chrono::milliseconds timeout{5'000};
  bool on_primary = true;
  bool on_standby = true;
  std::string extension;
  std::vector<QuerySpec> queries;
};

/// Throws Error(usage) with FILE:LINE:COLUMN.
[[nodiscard]] ProbeSpec parse_probe(const std::string& text, const std::string& source_name);
/// Those compiled into this binary, by name.
[[nodiscard]] std::vector<ProbeSpec> embedded_probes();

}  // namespace pantryd::probes
