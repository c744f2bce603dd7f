// The connection pool: first come, first served, with a deadline for every waiter, and a typed
// reason for every refusal.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/connection.h"

namespace pantryd {

struct PoolSettings {
  std::int32_t size_min = 0;   ///< connections kept warm
  std::int32_t size_max = 10;  ///< connections at most, used and being made together
  std::int32_t waiters_max = 10'000;
  std::chrono::milliseconds acquire_timeout{60'000};
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds idle_timeout{
      30'000};  ///< an idle one beyond size_min is closed after it
  pg::ConnectOptions connect;
};

struct PoolStatistics {
  std::int32_t in_use = 0;
  std::int32_t idle = 0;
  std::int32_t connecting = 0;
  std::int32_t waiting = 0;
  std::int32_t size_max = 0;
  std::int64_t acquires_total = 0;
  std::int64_t creates_total = 0;
  std::int64_t destroys_total = 0;
  std::int64_t timeouts_total = 0;
};

/// Why an acquire was refused.
enum class Refusal { full, queue_full, server, shutting_down, stopped };
[[nodiscard]] std::string_view to_string(Refusal refusal);

class PoolError : public Error {
 public:
  PoolError(Refusal refusal, ExitCode code, const std::string& message, std::string hint = {})
      : Error(code, message, std::move(hint)), refusal_(refusal) {}
  [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }

 private:
  Refusal refusal_;
};

class Pool;

/// A borrowed connection. The destructor gives it back; it is reused only if it is idle then.
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
  Lease(std::shared_ptr<class PoolCore> core, std::unique_ptr<pg::Connection> connection);
  std::shared_ptr<class PoolCore> core_;
  std::unique_ptr<pg::Connection> connection_;
};

/// Thread-safe. Outstanding leases may outlive it: they close their connections on return.
class Pool {
 public:
  Pool(pg::Conninfo where, PoolSettings settings);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Throws PoolError; its message carries the pool's numbers at that moment, and for
  /// Refusal::server what the server said.
  [[nodiscard]] Lease acquire(Deadline deadline, const StopFlag* stop = nullptr);
  [[nodiscard]] Lease acquire(const StopFlag* stop = nullptr);  ///< within acquire_timeout
  [[nodiscard]] PoolStatistics statistics() const;
  [[nodiscard]] const PoolSettings& settings() const;
  /// Refuses new waiters, fails those that wait, closes what is idle.
  void shut_down();

 private:
  std::shared_ptr<class PoolCore> core_;
};

}  // namespace pantryd
