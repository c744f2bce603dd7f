// The pool's settings, and the enumerations that name what happened: labels of metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace pantryd::pool {

struct Policy {
  std::int32_t size_min = 0;  ///< kept open: made in the background, before a borrower asks
  std::int32_t size_max = 10;
  std::int32_t waiters_max = 10'000;
  std::int32_t connects_max = 4;  ///< under way at a time: a restarted server is not stormed
  std::chrono::milliseconds idle_timeout{30'000};   ///< beyond size_min
  std::chrono::milliseconds lifetime{30 * 60'000};  ///< less a random tenth
  std::chrono::milliseconds check_after{30'000};    ///< idle for so long: proven before use
  std::chrono::milliseconds backoff_first{100};     ///< doubles, with full jitter
  /// Also how late the pool may notice that the server is back: one connect a pause.
  std::chrono::milliseconds backoff_max{500};
  /// The same after a refused login: further attempts may lock the account, and they fill logs.
  std::chrono::milliseconds login_backoff_max{10'000};
  std::int32_t breaker_failures = 3;  ///< failed connects in a row that open the breaker
};

/// Why a borrower got no connection.
enum class Refusal {
  full,              ///< its deadline passed while all connections were in use
  queue_full,        ///< more wait than waiters_max
  server_down,       ///< the server cannot be reached
  authentication,    ///< the server refuses the login: password, role, database, pg_hba
  too_many_clients,  ///< its deadline passed while the server had no slot for us (53300)
  deadline,          ///< its deadline passed while a connection was being made
  shutting_down,
  stopped,  ///< a stop was requested
};
inline constexpr int kRefusals = 8;
[[nodiscard]] std::string_view to_string(Refusal refusal);

/// Why a connect failed.
enum class ConnectFailure { unreachable, authentication, too_many_clients };
inline constexpr int kConnectFailures = 3;
[[nodiscard]] std::string_view to_string(ConnectFailure failure);

/// Why a connection was closed.
enum class CloseCause { idle, lifetime, broken, surplus, changed, shutdown };
inline constexpr int kCloseCauses = 6;
[[nodiscard]] std::string_view to_string(CloseCause cause);

/// closed: connects succeed. open: the server is known to be down, no borrower waits. half_open:
/// one connect tests whether it is back.
enum class Breaker { closed, open, half_open };
[[nodiscard]] std::string_view to_string(Breaker breaker);

struct Numbers {
  std::int32_t in_use = 0;
  std::int32_t idle = 0;
  std::int32_t connecting = 0;
  std::int32_t waiting = 0;
};

}  // namespace pantryd::pool
