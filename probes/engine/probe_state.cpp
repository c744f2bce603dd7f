// Computes the next state of a probe from the one before and the run that ended.
#include "probes/engine/probe_state.h"

#include <algorithm>

#include "base/log.h"
#include "probes/engine/exposition.h"

namespace pantryd::probes {
namespace {

/// Old values are shown for a while, with their age; then absence says it better.
constexpr int kStaleIntervals = 3;
constexpr auto kStaleMin = std::chrono::seconds(30);
constexpr int kStretchMax = 10;

}  // namespace

std::shared_ptr<ProbeState> next_state(const ProbeState& before, ProbeRun result) {
  auto state = std::make_shared<ProbeState>(before);
  if (result.outcome != state->outcome && result.outcome != Outcome::not_applicable &&
      !result.error.empty()) {
    log::warn("probe {}: {}: {}", state->name, to_string(result.outcome), result.error);
  }
  if (result.outcome == Outcome::ok && result.lost > 0 && before.lost == 0) {
    log::warn("probe {}: {} rows are not exported: {}", state->name, result.lost,
              result.error.empty() ? "their labels equal those of another row" : result.error);
  }
  state->outcome = result.outcome;
  state->error = std::move(result.error);
  state->duration = result.duration;
  state->total_duration += result.duration;
  ++state->runs[static_cast<std::size_t>(result.outcome)];
  if (result.outcome == Outcome::ok) {
    state->rows = result.rows;
    state->skipped = result.skipped;
    state->lost = result.lost;
    state->other = result.other;
    state->last_success = WallClock::now();
    state->families = std::make_shared<const std::vector<FamilyText>>(std::move(result.families));
    state->samples = std::make_shared<const std::vector<Sample>>(std::move(result.samples));
    return state;
  }
  const auto keep = std::max<WallClock::duration>(state->interval * kStaleIntervals, kStaleMin);
  const bool stale = !state->last_success || WallClock::now() - *state->last_success > keep;
  if (result.outcome == Outcome::not_applicable || stale) {
    state->families.reset();
    state->samples.reset();
  }
  return state;
}

std::chrono::milliseconds next_interval(std::chrono::milliseconds interval,
                                        std::chrono::microseconds duration, int timeouts,
                                        double busy_share) {
  if (busy_share <= 0) return interval;
  if (timeouts > 0) return interval * std::min(1 << std::min(timeouts - 1, 8), kStretchMax);
  const auto wanted = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double, std::micro>(duration) / busy_share);
  return std::clamp(wanted, interval, interval * kStretchMax);
}

void write_samples(ProbeRun& run, const std::string& target) {
  if (!run.families.empty() || run.samples.empty()) return;
  Exposition page(target);
  for (const auto& sample : run.samples) page.add(sample);
  run.lost += page.lost();
  run.families = page.take();
}

}  // namespace pantryd::probes
