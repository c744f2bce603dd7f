// The numbers of a pool since it was made, and the connections that were not given back.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/duration_histogram.h"
#include "pool/policy.h"

namespace pantryd {

/// A connection that is held for longer than leak_after.
struct Leak {
  std::string borrower;  ///< FILE:LINE that borrowed it
  std::chrono::milliseconds held{0};
  int backend_pid = 0;
  std::string last_statement;  ///< without its constants, cut short; empty: none yet
};

struct PoolStatistics {
  pool::Numbers now;
  std::int32_t size_max = 0;
  pool::Breaker breaker = pool::Breaker::closed;
  std::int64_t acquires_total = 0;
  std::int64_t creates_total = 0;
  std::array<std::int64_t, pool::kConnectFailures> create_failures_total{};  ///< by ConnectFailure
  std::array<std::int64_t, pool::kRefusals> refusals_total{};                ///< by Refusal
  std::array<std::int64_t, pool::kCloseCauses> closes_total{};               ///< by CloseCause
  std::int64_t leaks_total = 0;
  DurationHistogram acquire_wait;             ///< from the question to the grant or the refusal
  DurationHistogram hold;                     ///< from the grant to the return
  std::chrono::milliseconds longest_hold{0};  ///< of those borrowed now
  std::string longest_holder;                 ///< FILE:LINE that borrowed it
};

}  // namespace pantryd
