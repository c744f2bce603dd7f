// The stages' way to servers: what comes before the loads, and what is read of the servers after.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/stop.h"
#include "pg/conninfo.h"
#include "probes/engine/snapshot.h"
#include "validate/evidence.h"

namespace pantryd::validate {

using Snapshots = std::vector<std::shared_ptr<const probes::TargetSnapshot>>;

/// The target to load: the first of `names` that is up and no standby. Throws Error(unreachable).
[[nodiscard]] std::string primary_among(const std::vector<std::string>& names,
                                        const Snapshots& snapshots);

/// Throws Error(pending) where the applied migrations are not those of `schema`: "as-built" (the
/// application's own six) or "current"; and Error(drift), which names what is missing, where the
/// catalogue is not what they made.
void require_schema(const pg::Conninfo& where, const std::string& schema, const StopFlag* stop);

/// Seeds this share of a million products and ten million sales; returns the report as text.
[[nodiscard]] std::string seed_to_scale(const pg::Conninfo& where, double scale,
                                        const StopFlag* stop);

/// The series of every probe that succeeded.
[[nodiscard]] ServerEvidence evidence_of(const probes::TargetSnapshot& snapshot);

/// Runs the statement in a read-only transaction whose search_path is pg_catalog alone, so it must
/// name schemas. An error is in the answer.
[[nodiscard]] Answer ask(const pg::Conninfo& where, const std::string& query);

}  // namespace pantryd::validate
