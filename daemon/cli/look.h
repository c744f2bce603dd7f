// One look at every target: what check, metrics and validate begin with.
#pragma once

#include <memory>
#include <vector>

#include "base/stop.h"
#include "probes/engine/snapshot.h"
#include "settings/settings.h"

namespace pantryd::cli {

/// Runs every probe of every target once, the targets side by side.
[[nodiscard]] std::vector<std::shared_ptr<const probes::TargetSnapshot>> look_once(
    const Settings& settings, const StopFlag* stop);

}  // namespace pantryd::cli
