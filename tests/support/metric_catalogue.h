// The metrics that dashboards and rules may use: what the daemon itself says it serves, from the
// same lists that `probes list --markdown` writes.
#pragma once

#include <map>
#include <string>

#include "probes/engine/page.h"
#include "probes/engine/spec.h"
#include "serve/coded_probes.h"
#include "serve/migration_probe.h"
#include "serve/targets.h"

namespace pantryd::testing_support {

[[nodiscard]] inline std::map<std::string, probes::MetricType> metric_catalogue() {
  std::map<std::string, probes::MetricType> types;
  const auto add = [&](const std::vector<probes::MetricInfo>& metrics) {
    for (const auto& metric : metrics) types.emplace(metric.name, metric.type);
  };
  add(probes::own_metrics());
  add(backup_metrics());
  add(migration_metrics());
  for (const auto& probe : coded_probes()) {
    for (const auto& metric : probe.metrics) add({metric.info});
  }
  for (const auto& probe : probes::embedded_probes()) {
    for (const auto& query : probe.queries) {
      add(query.told());
    }
  }
  return types;
}

}  // namespace pantryd::testing_support
