// What a probe says of itself, whether it is SQL or code: for lists, documents and the choice of
// probes that run.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {

struct DescribedMetric {
  MetricInfo info;
  std::vector<std::string> labels;
};

/// A statement that the probe sends, to account for what it costs the server.
struct DescribedStatement {
  VersionedSql sql;
  std::size_t parameters = 0;
};

struct ProbeDescription {
  std::string name;
  std::string summary;  ///< sentences
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds timeout{5'000};
  CostClass cost = CostClass::medium;
  std::vector<DescribedMetric> metrics;
  std::vector<DescribedStatement> statements;  ///< those that are the same in every run
  bool enabled = true;                         ///< runs unless the configuration says otherwise
  bool on_primary = true;
  bool on_standby = true;
  std::string extension;  ///< that it needs; empty: none
};

/// Of a probe that is SQL.
[[nodiscard]] ProbeDescription describe(const ProbeSpec& spec);

}  // namespace pantryd::probes
