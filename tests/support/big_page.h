// A page as large as a test wants, without a server: what probes would have published.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "probes/engine/exposition.h"

namespace pantryd::testing_support {

/// A target with `series` series of one gauge, and one of a counter with and without "_total";
/// a label has what formats must escape. About 100 bytes a series.
inline void publish_series(probes::SnapshotStore& store, const std::string& target, int series) {
  using probes::MetricInfo;
  using probes::MetricType;
  const auto make = [](const char* name, MetricType type) {
    return std::make_shared<const MetricInfo>(
        MetricInfo{name, type, "Say \"it\" with \\ and\nbreaks."});
  };
  const auto gauge = make("pantryd_test_rows", MetricType::gauge);
  probes::Exposition text(target);
  for (int i = 0; i < series; ++i) {
    text.add(gauge, text.labels({{"datname", "shop"}, {"relname", fmt::format("relation_{}", i)}}),
             static_cast<double>(i * 2'654'435'761ULL % 1'000'003) * 0.37);
  }
  const auto awkward = text.labels({{"query", "a\\b \"c\"\nd {e=\"f\"} # é"}});
  text.add(make("pantryd_test_calls_total", MetricType::counter), awkward, 7);
  text.add(make("pg_stat_test_commits", MetricType::counter), awkward, 1e21);
  probes::ProbeState state;
  state.name = "big";
  state.outcome = probes::Outcome::ok;
  state.runs[static_cast<std::size_t>(probes::Outcome::ok)] = 1;
  state.last_success = probes::WallClock::now();
  state.families = std::make_shared<const std::vector<probes::FamilyText>>(text.take());
  auto snapshot = std::make_shared<probes::TargetSnapshot>();
  snapshot->target = target;
  snapshot->up = true;
  snapshot->probes.push_back(std::make_shared<const probes::ProbeState>(std::move(state)));
  store.publish(std::move(snapshot));
}

}  // namespace pantryd::testing_support
