// The migrations as metrics: where the schema stands, and what a runner does at this moment.
#pragma once

#include "probes/engine/coded.h"

namespace pantryd {

/// The probe called "migrations": files of this binary against pantryd.migrations, the recorded
/// catalogue against the live one, and the session that holds the runner's lock. Does not apply
/// where nothing was ever migrated by pantryd.
[[nodiscard]] probes::ServerProbe migration_probe();

[[nodiscard]] const probes::ProbeDescription& migration_description();

}  // namespace pantryd
