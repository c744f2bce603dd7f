// How a connection presents itself, and what it may do of its own accord.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/stop.h"
#include "pg/session_policy.h"

namespace pantryd::pg {

/// What a timed-out statement may still cost: cancel request, drain, then close.
inline constexpr std::chrono::milliseconds kCancelBudget{2000};

struct ConnectOptions {
  std::string application_name = "pantryd";
  /// Set in the session as soon as it stands, e.g. {"lock_timeout", "100ms"}. Not with the start-up
  /// packet: pg_settings would then tell nobody in this session what the server's own values are.
  std::vector<std::pair<std::string, std::string>> settings;
  /// When requested, every wait of this connection ends with Failure::stopped.
  const StopFlag* stop = nullptr;
  Prepared prepared = Prepared::automatic;
  std::size_t statements_max = 256;  ///< that exec_cached() keeps prepared
};

}  // namespace pantryd::pg
