// The connection pool: first come, first served, with a deadline for every borrower and a typed
// reason for every refusal. What is decided, and by which rules, is pool/desk.h; here are the
// threads that make, check and close connections. docs/pool.md compares it with tarn's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/duration_histogram.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "pool/policy.h"

namespace pantryd {

struct PoolSettings {
  pool::Policy policy;
  std::chrono::milliseconds acquire_timeout{60'000};
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds check_timeout{1'000};  ///< for the answer of one that was idle for long
  /// A connection that is held for longer is told in the log, once. 0: none is.
  std::chrono::milliseconds leak_after{30'000};
  pg::Reset reset = pg::Reset::tracked;  ///< of the session, when a connection comes back
  pg::ConnectOptions connect;
};

/// Where to log in. Asked before each connect, on a thread that may wait for a file; so a password
/// that was rotated in its file is used for the next connection. What it throws fails the connect.
using Login = std::function<pg::Conninfo()>;

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

class PoolError : public Error {
 public:
  PoolError(pool::Refusal refusal, ExitCode code, const std::string& message, std::string hint = {})
      : Error(code, message, std::move(hint)), refusal_(refusal) {}
  [[nodiscard]] pool::Refusal refusal() const noexcept { return refusal_; }

 private:
  pool::Refusal refusal_;
};

/// A borrowed connection. The destructor gives it back; it is used again only when proven idle.
class Lease {
 public:
  Lease() = default;
  ~Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;

  [[nodiscard]] pg::Connection& operator*() const { return *connection_; }
  [[nodiscard]] pg::Connection* operator->() const { return connection_.get(); }
  [[nodiscard]] explicit operator bool() const { return connection_ != nullptr; }
  void reset();

 private:
  friend class PoolCore;
  Lease(std::shared_ptr<class PoolCore> core, std::uint64_t id,
        std::unique_ptr<pg::Connection> connection);
  std::shared_ptr<class PoolCore> core_;
  std::uint64_t id_ = 0;
  std::unique_ptr<pg::Connection> connection_;
};

/// Thread-safe. Outstanding leases may outlive it: they close their connections on return.
class Pool {
 public:
  Pool(Login login, PoolSettings settings);
  Pool(const pg::Conninfo& where, PoolSettings settings);
  /// Refuses who waits, interrupts connects under way and joins its threads.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Throws PoolError; its message carries the pool's numbers at that moment, and what the server
  /// said where that is the reason. `from` is told by the leak report.
  [[nodiscard]] Lease acquire(Deadline deadline, const StopFlag* stop = nullptr,
                              std::source_location from = std::source_location::current());
  /// Within acquire_timeout.
  [[nodiscard]] Lease acquire(const StopFlag* stop = nullptr,
                              std::source_location from = std::source_location::current());
  [[nodiscard]] PoolStatistics statistics() const;
  /// Those held for longer than leak_after, the longest first; at most 20.
  [[nodiscard]] std::vector<Leak> leaks() const;
  /// Sizes, times and login from now on; running work goes on. With another login or other connect
  /// options, those made before leave one by one as they come back. connects_max stays as it was
  /// when the pool was made.
  void change(Login login, PoolSettings settings, bool new_login);
  void shut_down();

 private:
  std::shared_ptr<class PoolCore> core_;
};

}  // namespace pantryd
