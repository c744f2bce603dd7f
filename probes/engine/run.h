// One run of one probe on a connection: gated by role, version and extension, bounded in time, in
// rows and by lock_timeout.
#pragma once

#include <set>
#include <string>

#include "pg/connection.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {

/// More rows than this are cut, and the run says so: a probe must not flood the page.
inline constexpr int kRowsMax = 20'000;

/// What is known of a server before its probes run.
struct TargetFacts {
  bool is_standby = false;
  int server_version = 0;  ///< such as 150018
  std::set<std::string> extensions;
  [[nodiscard]] int major() const { return server_version / 10'000; }
};

/// Throws PgError.
[[nodiscard]] TargetFacts read_facts(pg::Connection& connection, Deadline deadline);

/// Never throws: every failure is an outcome. A connection that is broken afterwards says so
/// itself.
[[nodiscard]] ProbeRun run_probe(pg::Connection& connection, const ProbeSpec& spec,
                                 const TargetFacts& facts, const ProbeParameters& parameters);

/// How a run that met this error ended.
[[nodiscard]] Outcome outcome_of(const pg::PgError& error);

/// True when the probe has something to say about such a server.
[[nodiscard]] bool applies(const ProbeSpec& spec, const TargetFacts& facts);

}  // namespace pantryd::probes
