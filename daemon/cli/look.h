// One run of every probe of every target: what check, metrics and validate begin with.
#pragma once

#include <memory>
#include <vector>

namespace pantryd {

class StopFlag;
struct Settings;
namespace probes {
struct TargetSnapshot;
}

namespace cli {

/// Runs every probe of every target once, the targets side by side.
[[nodiscard]] std::vector<std::shared_ptr<const probes::TargetSnapshot>> look_once(
    const Settings& settings, const StopFlag* stop);

}  // namespace cli
}  // namespace pantryd
