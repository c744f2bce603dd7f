// For tests of single probes: one run on a server, as values by metric and labels.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "pg/connection.h"
#include "probes/engine/run.h"

namespace pantryd::testing_support {

/// Of the probes that are compiled in. Throws std::logic_error.
[[nodiscard]] const probes::ProbeSpec& probe_of(const std::string& name);

/// A session as the daemon's, of the role `watcher` that is a member of pg_monitor alone.
[[nodiscard]] pg::Connection watch(const pg::Conninfo& server);

/// One run; it must end well.
[[nodiscard]] probes::ProbeRun look(pg::Connection& connection, const probes::ProbeSpec& spec);

/// Values by "metric|label|label", such as "m" or "m|trust", in the order of the labels.
using Values = std::map<std::string, double>;
[[nodiscard]] Values values_of(const probes::ProbeRun& run);
[[nodiscard]] inline Values values_of(pg::Connection& connection, const std::string& probe) {
  return values_of(look(connection, probe_of(probe)));
}
/// nullopt: there is no such series.
[[nodiscard]] std::optional<double> value(const Values& values, const std::string& key);
/// The sum of all series of a metric.
[[nodiscard]] double sum_of(const Values& values, const std::string& metric);

}  // namespace pantryd::testing_support
