// The metrics that dashboards and rules may use: what the daemon itself says it serves, from the
// same lists that `probes list --markdown` writes.
#pragma once

#include <map>
#include <string>

#include "probes/engine/page.h"
#include "serve/probe_list.h"

namespace pantryd::testing_support {

[[nodiscard]] inline std::map<std::string, probes::MetricType> metric_catalogue() {
  std::map<std::string, probes::MetricType> types;
  const auto add = [&](const std::vector<probes::MetricInfo>& metrics) {
    for (const auto& metric : metrics) types.emplace(metric.name, metric.type);
  };
  add(probes::own_metrics());
  const ProbeList list{ProbeSettings{}};
  for (const auto& row : list.rows()) {
    for (const auto& metric : row.description.metrics) add({metric.info});
  }
  return types;
}

}  // namespace pantryd::testing_support
