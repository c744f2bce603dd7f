// A second of a run, and the phase that it belongs to.
#pragma once

#include <cstdint>

namespace pantryd::loadgen {

/// The part of a run that a moment belongs to.
enum class Phase { warmup, measured, drain };

/// A second of the run. `second` counts from the start of the measured window; negative: warm-up.
/// No window spans two phases: the last one of the measured window may be shorter than a second,
/// and the drain begins with the next number. All counts but `offered` are by end.
struct Window {
  std::int64_t second = 0;
  std::int64_t offered = 0;  ///< arrivals whose intended start lies in it
  std::int64_t completed = 0;
  std::int64_t errors = 0;
  std::int64_t p99_us = 0;  ///< response of what was completed or refused in this second
  std::int64_t queued = 0;  ///< waiting at its end
  std::int64_t refused = 0;
  std::int64_t empty = 0;
  Phase phase = Phase::measured;
  std::int64_t running = 0;  ///< in work at its end
};

}  // namespace pantryd::loadgen
