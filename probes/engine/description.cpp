// Describes SQL probes in the form that probes of code have.
#include "probes/engine/description.h"

#include "probes/engine/same_labels.h"

namespace pantryd::probes {

ProbeDescription describe(const ProbeSpec& spec) {
  ProbeDescription out;
  out.name = spec.name;
  out.summary = spec.summary;
  out.interval = spec.interval;
  out.timeout = spec.timeout;
  out.cost = spec.cost;
  out.enabled = spec.enabled;
  out.on_primary = spec.on_primary;
  out.on_standby = spec.on_standby;
  out.extension = spec.extension;
  for (const auto& query : spec.queries) {
    const auto told = query.told();
    for (std::size_t i = 0; i < told.size(); ++i) {
      const bool total = i >= query.metrics.size();
      auto labels = total ? std::vector<std::string>{} : query.labels;
      if (!total && rule_of(query, i) == SameLabels::number) labels.emplace_back(kRowLabel);
      out.metrics.push_back({told[i], std::move(labels)});
    }
    const auto parameters = query.parameters.size() + (spec.columns.empty() ? 0 : 1);
    for (const auto& sql : query.sql) out.statements.push_back({sql, parameters});
  }
  return out;
}

}  // namespace pantryd::probes
