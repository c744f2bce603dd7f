// The connection pool: borrowers are served in the order in which they ask, each with a deadline,
// and every refusal has a typed reason. pool/desk.h has the rules; pool/internal/core.h the threads
// that make, check and close connections. docs/pool.md compares it with tarn's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "pool/policy.h"
#include "pool/statistics.h"

namespace pantryd {

struct PoolSettings {
  pool::Policy policy;
  std::chrono::milliseconds acquire_timeout{60'000};
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds check_timeout{1'000};  ///< for the answer of a long idle connection
  /// A connection that is held for longer is logged, once. 0: never.
  std::chrono::milliseconds leak_after{30'000};
  pg::Reset reset = pg::Reset::tracked;  ///< of the session, when a connection comes back
  pg::ConnectOptions connect;
};

/// Where to log in. Called before each connect, on a thread that may wait for a file; so a password
/// that was rotated in its file is used for the next connection. An exception fails the connect.
using Login = std::function<pg::Conninfo()>;

class PoolError : public Error {
 public:
  PoolError(pool::Refusal refusal, ExitCode code, const std::string& message, std::string hint = {})
      : Error(code, message, std::move(hint)), refusal_(refusal) {}
  [[nodiscard]] pool::Refusal refusal() const noexcept { return refusal_; }

 private:
  pool::Refusal refusal_;
};

/// A borrowed connection. The destructor gives it back; the pool lends it again only if it is idle.
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
  /// Refuses the borrowers that wait, interrupts connects under way and joins its threads.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Throws PoolError; its message has the pool's numbers at that moment, and the server's message
  /// where that is the reason. The leak report names `from`.
  [[nodiscard]] Lease acquire(Deadline deadline, const StopFlag* stop = nullptr,
                              std::source_location from = std::source_location::current());
  /// Within acquire_timeout.
  [[nodiscard]] Lease acquire(const StopFlag* stop = nullptr,
                              std::source_location from = std::source_location::current());
  [[nodiscard]] PoolStatistics statistics() const;
  /// Connections held for longer than leak_after, the longest first; at most 20.
  [[nodiscard]] std::vector<Leak> leaks() const;
  /// Sizes, times and login from now on; running work goes on. With `new_login` (or other connect
  /// options), connections made before are closed one by one as they come back. connects_max stays
  /// as it was when the pool was made.
  void change(Login login, PoolSettings settings, bool new_login);
  void shut_down();

 private:
  std::shared_ptr<class PoolCore> core_;
};

}  // namespace pantryd
