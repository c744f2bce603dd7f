// Service times as a server has them: most near a value, a few much longer.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/random.h"
#include "loadgen/result/histogram.h"

namespace pantryd::testing_support {

/// `count` times around `us` microseconds; the share `slow` of them takes `slower` times as long.
inline loadgen::Histogram service_times(Random& random, std::int64_t count, double us,
                                        double slow = 0, double slower = 20) {
  loadgen::Histogram out;
  for (std::int64_t i = 0; i < count; ++i) {
    const double factor = random.uniform() < slow ? slower : 1;
    out.record(
        static_cast<std::int64_t>(us * factor * (0.8 - 0.3 * std::log(1 - random.uniform()))));
  }
  return out;
}

}  // namespace pantryd::testing_support
