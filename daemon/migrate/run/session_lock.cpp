// The advisory lock that makes one runner of many. Invariant: it is held by the session, so it ends
// with the session, whatever happens to the process.
#include "migrate/run/session_lock.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/units.h"
#include "migrate/run/ladder.h"
#include "migrate/run/limits.h"
#include "pg/own_session.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

constexpr auto kPollInterval = milliseconds(100);
// {}: kHasLock.
constexpr const char* kHolder =
    "SELECT l.pid, coalesce(a.application_name, '?'), coalesce(a.client_addr::text, 'this host'), "
    "coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::bigint "
    "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
    "WHERE {}";

pg::Result find_holder(pg::Connection& connection) {
  return connection.exec(fmt::format(kHolder, kHasLock), pg::Params::of(kLockKey), soon());
}

std::string describe_holder(pg::Connection& connection) {
  const auto rows = find_holder(connection);
  if (rows.empty()) return "which has ended just now";
  return fmt::format("pid {} ({} from {}), connected for {}", rows.text(0, 0), rows.text(0, 1),
                     rows.text(0, 2), format_duration(std::chrono::seconds(rows.i64(0, 3))));
}

}  // namespace

void require_writable(pg::Connection& connection) {
  const auto row = connection.exec(
      "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'", soon());
  if (row.boolean(0, 0)) {
    throw Error(ExitCode::failed,
                fmt::format("{} is a read-only standby", connection.conninfo().display()),
                "Migrate its primary; the standby follows.");
  }
  if (row.boolean(0, 1)) {
    throw Error(ExitCode::failed,
                fmt::format("sessions on {} are read-only", connection.conninfo().display()),
                "Look at default_transaction_read_only of the server, database and role.");
  }
}

int require_own_session(pg::Connection& connection) {
  const auto found = pg::find_session(connection, soon());
  if (found.lent.empty()) return found.pid;
  throw Error(
      ExitCode::failed,
      fmt::format("{} is a connection pooler: {}", connection.conninfo().display(), found.lent),
      "Connect directly: name the server itself with --dsn. A migration needs a session of "
      "its own, as only PgBouncer's pool_mode = session gives it.");
}

SessionLock::SessionLock(pg::Connection& connection, milliseconds patience, const StopFlag& stop)
    : connection_(connection), session_pid_(require_own_session(connection)) {
  const auto deadline = Deadline::in(patience);
  while (!connection_.exec("SELECT pg_try_advisory_lock($1)", pg::Params::of(kLockKey), soon())
              .boolean(0, 0)) {
    if (deadline.expired()) {
      throw Error(ExitCode::lock,
                  fmt::format("another runner still migrates this database after {}: {}",
                              format_duration(patience), describe_holder(connection_)),
                  "Wait for it and run the command again; --lock-wait sets the patience.");
    }
    if (stop.wait(deadline.within(jittered(kPollInterval)))) {
      throw Error(ExitCode::failed, "interrupted while another runner migrates");
    }
  }
  PANTRYD_ASSERT(session_pid_ > 0 && connection_.idle());
}

SessionLock::~SessionLock() {
  try {
    if (!connection_.broken()) {
      connection_.exec("SELECT pg_advisory_unlock($1)", pg::Params::of(kLockKey), soon());
    }
  } catch (const std::exception&) {
    // The session ends soon, and its locks with it.
  }
}

void SessionLock::require_held() {
  const auto rows = find_holder(connection_);
  if (!rows.empty() && rows.i64(0, 0) == session_pid_) return;
  throw Error(ExitCode::failed, "a migration let go of the runner's own advisory lock",
              "Take DISCARD ALL and pg_advisory_unlock_all() out of the migrations.");
}

}  // namespace pantryd::migrate
