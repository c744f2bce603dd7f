// What follows from one run of a probe: what is told of it, and when it is asked again.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// The values of a run that succeeded replace those before; else the old ones are kept for a while,
/// with their age. Writes to the log when a probe begins to fail.
[[nodiscard]] std::shared_ptr<ProbeState> next_state(const ProbeState& before, ProbeRun result);

/// How long until the next run. Longer than the probe's own `interval`, but at most ten times that,
/// when the last run took more than `busy_share` of it (0: no matter). One that met its time limit
/// may have met a server or a network that stood still, and is asked again at its usual time; when
/// that happens again and again (`timeouts` in a row) it waits twice as long each time.
[[nodiscard]] std::chrono::milliseconds next_interval(std::chrono::milliseconds interval,
                                                      std::chrono::microseconds duration,
                                                      int timeouts, double busy_share);

/// Makes text of the samples of a run of code. Series that come twice are told once, and counted as
/// lost.
void write_samples(ProbeRun& run, const std::string& target);

}  // namespace pantryd::probes
