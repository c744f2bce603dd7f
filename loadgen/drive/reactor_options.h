// What one reactor is to do: its share of a load.
#pragma once

#include <chrono>
#include <cstdint>

#include "loadgen/result/arrivals.h"
#include "loadgen/workload/rate_plan.h"

namespace pantryd::loadgen {

class WarmUp;

struct ReactorOptions {
  RatePlan plan;  ///< with the warm-up; empty: closed loop, `users` operations at all times
  Arrivals arrivals = Arrivals::poisson;
  std::int64_t users = 1;   ///< of this reactor
  std::uint32_t part = 0;   ///< it is this one
  std::uint32_t parts = 1;  ///< of so many
  bool pipelined = false;
  std::uint64_t seed = 1;
  std::chrono::nanoseconds warmup{0};
  const WarmUp* warm_up = nullptr;  ///< may end the warm-up sooner; outlives the reactor
  std::chrono::nanoseconds duration{0};
  std::chrono::nanoseconds statement_limit{0};
  std::chrono::nanoseconds drain_limit{0};
  bool raise_priority = true;
};

}  // namespace pantryd::loadgen
