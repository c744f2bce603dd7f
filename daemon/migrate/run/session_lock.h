// One runner a database: a session advisory lock that is polled. A session that waited for it
// inside the server would hold a snapshot, and CREATE INDEX CONCURRENTLY waits for those: deadlock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "pg/connection.h"

namespace pantryd::migrate {

/// "pantryd" in ASCII: the key of the session advisory lock, one a database.
inline constexpr std::int64_t kLockKey = 0x70616e74727964;

/// Of a row `l` of pg_locks, with $1 = kLockKey: true for the session that has the lock. pg_locks
/// shows a bigint key as its two halves.
inline constexpr std::string_view kHasLock =
    "l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) "
    "AND l.classid::bigint = ($1::bigint >> 32) AND l.objid::bigint = ($1::bigint & 4294967295)";

/// The pid of the server process behind `connection`, when it is ours alone (pg/own_session.h).
/// Throws Error(failed) when it is not, and when that could not be proved.
[[nodiscard]] int require_own_session(pg::Connection& connection);

/// Throws Error(failed) on a standby, and where sessions are read-only.
void require_writable(pg::Connection& connection);

/// Holds the lock while it lives; the server frees it too when the connection ends.
class SessionLock {
 public:
  /// Throws Error(lock) that names the holder when it is not free within `patience`, and
  /// what require_own_session() throws.
  SessionLock(pg::Connection& connection, std::chrono::milliseconds patience, const StopFlag& stop);
  ~SessionLock();
  SessionLock(const SessionLock&) = delete;
  SessionLock& operator=(const SessionLock&) = delete;

  /// Throws Error(failed) when a migration let go of the lock (DISCARD ALL,
  /// pg_advisory_unlock_all).
  void require_held();
  /// The server process that holds it, which through a pooler is not Connection::backend_pid().
  [[nodiscard]] int session_pid() const { return session_pid_; }

 private:
  pg::Connection& connection_;
  int session_pid_;
};

}  // namespace pantryd::migrate
