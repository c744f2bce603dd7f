// The connection pool: first come, first served, with a deadline for every borrower and a typed
// reason for every refusal. What is decided, and by which rules, is pool/desk.h; here are the
// threads that make, check and close connections. docs/pool.md compares it with tarn's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "pool/policy.h"

namespace pantryd {

struct PoolSettings {
  pool::Policy policy;
  std::chrono::milliseconds acquire_timeout{60'000};
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds check_timeout{1'000};  ///< for the answer of one that was idle for long
  pg::ConnectOptions connect;
};

struct PoolStatistics {
  pool::Numbers now;
  std::int32_t size_max = 0;
  pool::Breaker breaker = pool::Breaker::closed;
  std::int64_t acquires_total = 0;
  std::int64_t creates_total = 0;
  std::int64_t create_failures_total = 0;
  std::array<std::int64_t, pool::kRefusals> refusals_total{};   ///< by pool::Refusal
  std::array<std::int64_t, pool::kCloseCauses> closes_total{};  ///< by pool::CloseCause
  std::chrono::milliseconds longest_hold{0};                    ///< of those borrowed now
  std::string longest_holder;                                   ///< FILE:LINE that borrowed it
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
  Pool(pg::Conninfo where, PoolSettings settings);
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
  /// Sizes and times from now on, without dropping running work.
  void change(const pool::Policy& policy);
  void shut_down();

 private:
  std::shared_ptr<class PoolCore> core_;
};

}  // namespace pantryd
