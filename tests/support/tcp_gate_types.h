// The faults of a TcpGate, the connections that a fault reaches, and what the gate counts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pantryd::testing_support {

enum class GateFault {
  pass,
  stall,       ///< accepts and keeps, and moves no byte in either direction
  trickle,     ///< moves `trickle_bytes` a direction every kGateTick
  refuse,      ///< new ones get ECONNREFUSED; those that stand go on
  black_hole,  ///< the SYNs of new ones get no answer; those that stand stall
};
enum class GateReach {
  existing,  ///< the connections that stand now
  fresh,     ///< those that come from now on
  all,
};
inline constexpr std::chrono::milliseconds kGateTick{10};

struct GateLimits {
  std::size_t connections_max = 256;  ///< one more is reset at once
  std::size_t trickle_bytes = 16;
};

struct GateCounts {
  std::int64_t accepted_total = 0;
  std::int64_t over_limit_total = 0;
  std::int64_t cut_total = 0;
  std::int64_t bytes_up = 0;    ///< handed to the server
  std::int64_t bytes_down = 0;  ///< handed to the client
  std::int64_t open = 0;        ///< connections that stand
};

}  // namespace pantryd::testing_support
