// The doubling ends at pause_max, so no shift is too wide.
#include "loadgen/drive/pauses.h"

#include <algorithm>
#include <chrono>

#include "base/random.h"

namespace pantryd::loadgen {

std::int64_t back_off_ns(const RetryPolicy& policy, int retry, std::uint64_t seed) {
  auto pause = policy.pause;
  for (int i = 1; i < retry && pause < policy.pause_max; ++i) pause *= 2;
  pause = std::min(pause, policy.pause_max);
  const auto whole =
      static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(pause).count());
  return static_cast<std::int64_t>(whole * (0.5 + 0.5 * Random(seed).uniform()));
}

}  // namespace pantryd::loadgen
