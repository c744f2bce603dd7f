// How a connection presents itself, and what it may do of its own accord.
#pragma once

#include <array>
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
  using Settings = std::vector<std::pair<std::string, std::string>>;

  std::string application_name = "pantryd";
  /// Set in the session as soon as it stands, e.g. {"lock_timeout", "100ms"}. Not with the start-up
  /// packet: pg_settings would then tell nobody in this session what the server's own values are.
  Settings settings;
  /// When requested, every wait of this connection ends with Failure::stopped.
  const StopFlag* stop = nullptr;
  Prepared prepared = Prepared::automatic;
  std::size_t statements_max = 256;  ///< that exec_cached() keeps prepared
  /// The session looks at a server that others shape: see watching_session().
  bool watching = false;
};

/// In force before the first statement of a watching session: no name in it is looked up where
/// others may create objects, and a standby answers although its default is serializable. They go
/// with the start-up packet (libpq's `options`), so they also win over ALTER ROLE ... SET.
inline const std::array<std::pair<std::string, std::string>, 2> kWatchingAtStart{{
    {"search_path", "pg_catalog,pg_temp"},
    {"default_transaction_isolation", "read committed"},
}};

/// For every session that watches: kWatchingAtStart, read-only, and bounded by the server should we
/// be gone. Objects of others are named by schema there, functions of extensions too. A table of
/// others is read by pg/plain_table.h only: a SELECT runs functions that its owner chose, in
/// indexes, statistics and casts, as our role.
///
/// A pooler that gives each client a session (PgBouncer: pool_mode = session) may refuse start-up
/// options; then they are set once the session stands. One that lends sessions to others is
/// PgError(refused): what we set would reach the application.
[[nodiscard]] ConnectOptions watching_session(std::string application_name,
                                              std::chrono::milliseconds lock_timeout,
                                              const StopFlag* stop);

}  // namespace pantryd::pg
