// What makes a run INVALID: the client, the host or the test's surroundings were the limit, or were
// not what the result says. Pure functions over what was counted; the verdict uses them.
//
// Limits, and why they are where they are (also in docs/load-testing.md):
//   start lag, take-over lag p99    5 ms   over at least 100 arrivals
//   a reactor's thread              85 %   of a processor
//   stalls of a loop above 10 ms     1 %   of the time: then they are in the p99
//   one stall                     250 ms   the process stood still: SIGSTOP, no processor, suspend
//   arrivals off the plan            1 %   and five standard deviations
//   gaps off a Poisson stream      0.10    of Kolmogorov's distance, and 2.5 / sqrt(blocks), from
//                                          50 blocks on
//   steal                            2 %   of the host's processor time
//   cgroup throttling                1 %   of the time
//   step of the wall clock        50 ms    between two looks 0.1 s apart: slewing is far below
//   connections below plan           5 %   of their time, outages and timeouts apart
//   empty operations                 all   of them: nothing was sent to the server
//   server settings                  any   that changed
//   other sessions in the database  80 %   of the looks, and 3 of them: one was at work
//   other databases                  5 %   of our transactions and 10/s, or 5 % of our time at work
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/evidence/series.h"
#include "loadgen/result/result.h"

namespace pantryd::loadgen {

struct SelfCheckFacts {
  double measured_s = 0;
  std::optional<double> planned;  ///< arrivals that the plan expects; none in a closed loop
  std::int64_t offered = 0;
  std::int64_t empty = 0;
  bool poisson = false;  ///< gaps are to be those of a Poisson stream
  double cpu_share = 0;  ///< of the busiest thread
  double cpu_wait_share = 0;
  std::int64_t start_lag_count = 0;
  std::int64_t start_lag_p99_us = 0;
  std::int64_t connections = 0;
  std::int64_t timeouts = 0;
  LoopFacts loop;
  HostFacts host;
  ServerFacts server;
  Surroundings surroundings;
};

[[nodiscard]] SelfCheck check_self(const SelfCheckFacts& facts);

[[nodiscard]] SelfCheckFacts self_check_facts(const LoadResult& result);

}  // namespace pantryd::loadgen
