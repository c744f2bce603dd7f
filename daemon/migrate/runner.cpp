// Invariants: nothing is changed before the advisory lock is held; the lock is polled and never
// waited for inside the server, where a waiter would block CREATE INDEX CONCURRENTLY for ever; a
// migration and its row of history are one transaction.
#include "migrate/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/units.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

/// "pantryd" in ASCII: the key of the session advisory lock, one a database.
constexpr std::int64_t kLockKey = 0x70616e74727964;
constexpr auto kPollInterval = milliseconds(100);
constexpr auto kShortStatement = std::chrono::seconds(30);

Deadline soon() {
  return Deadline::in(kShortStatement);
}

/// Holds the session lock; the server frees it too when the connection ends.
class RunnerLock {
 public:
  RunnerLock(pg::Connection& connection, const RunnerOptions& options) : connection_(connection) {
    const auto deadline = Deadline::in(options.lock_wait);
    while (!connection_.exec("SELECT pg_try_advisory_lock($1)", pg::Params::of(kLockKey), soon())
                .boolean(0, 0)) {
      if (deadline.expired()) {
        throw Error(ExitCode::lock,
                    fmt::format("another runner still migrates this database after {}",
                                format_duration(options.lock_wait)),
                    "Wait for it, or look for its session: SELECT pid FROM pg_locks WHERE "
                    "locktype = 'advisory'.");
      }
      const auto pause = deadline.within(kPollInterval);
      static const StopFlag never;
      if ((options.stop != nullptr ? *options.stop : never).wait(pause)) {
        throw Error(ExitCode::failed, "interrupted while another runner migrates");
      }
    }
  }
  ~RunnerLock() {
    try {
      if (!connection_.broken()) {
        connection_.exec("SELECT pg_advisory_unlock($1)", pg::Params::of(kLockKey), soon());
      }
    } catch (const std::exception&) {
      // The session ends soon, and its locks with it.
    }
  }
  RunnerLock(const RunnerLock&) = delete;
  RunnerLock& operator=(const RunnerLock&) = delete;

 private:
  pg::Connection& connection_;
};

void require_writable(pg::Connection& connection) {
  if (!connection.exec("SELECT pg_is_in_recovery()", soon()).boolean(0, 0)) return;
  throw Error(ExitCode::failed,
              fmt::format("{} is a read-only standby", connection.conninfo().display()),
              "Migrate its primary; the standby follows.");
}

void require_no_drift(const std::vector<StatusRow>& rows) {
  for (const auto& row : rows) {
    if (row.state == MigrationState::edited) {
      throw Error(ExitCode::drift, fmt::format("{} was edited after it was applied", row.name),
                  "Restore the file, and write the change as a new migration.");
    }
    if (row.state == MigrationState::missing_file) {
      throw Error(ExitCode::drift, fmt::format("{} was applied, but its file is missing", row.name),
                  "Restore the file, or use the version of pantryd that applied it.");
    }
  }
}

void run_one(pg::Connection& connection, const Migration& migration, const RunnerOptions& options) {
  const auto deadline = Deadline::in(options.statement_timeout);
  const auto began = SteadyClock::now();
  try {
    connection.exec("BEGIN", soon());
    connection.exec("SELECT set_config('lock_timeout', $1, true)",
                    pg::Params::of(fmt::format("{}ms", options.lock_timeout.count())), soon());
    connection.exec_script(migration.up, deadline);
    record_done(connection, migration,
                std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began),
                options.tool_version, soon());
    connection.exec("COMMIT", deadline);
  } catch (const pg::PgError& error) {
    (void)connection.make_idle(soon());
    const bool locked = error.sqlstate() == pg::sqlstate::kLockNotAvailable;
    throw pg::PgError(error.failure(), error.sqlstate(),
                      fmt::format("{}.sql: {}", migration.name, error.what()),
                      locked ? "Another session holds a lock on the table; run the command again."
                             : "Nothing of this migration was kept; correct it and run it again.");
  }
}

}  // namespace

std::string_view to_string(MigrationState state) {
  switch (state) {
    case MigrationState::applied:
      return "applied";
    case MigrationState::pending:
      return "pending";
    case MigrationState::edited:
      return "edited";
    case MigrationState::missing_file:
      return "missing file";
  }
  return "unknown";
}

std::vector<StatusRow> status(pg::Connection& connection, const std::vector<Migration>& files,
                              Deadline deadline) {
  std::map<std::int64_t, StatusRow> rows;
  for (const auto& file : files) {
    rows[file.version] = {file.version, file.name, MigrationState::pending, "", 0};
  }
  for (const auto& done : read_history(connection, deadline)) {
    const auto file = std::find_if(files.begin(), files.end(), [&](const Migration& each) {
      return each.version == done.version;
    });
    auto state = MigrationState::missing_file;
    if (file != files.end()) {
      state = file->checksum == done.checksum ? MigrationState::applied : MigrationState::edited;
    }
    rows[done.version] = {done.version, done.name, state, done.finished_at, done.duration_ms};
  }
  std::vector<StatusRow> out;
  for (auto& [version, row] : rows) out.push_back(std::move(row));
  return out;
}

std::vector<Applied> up(pg::Connection& connection, const std::vector<Migration>& files,
                        const RunnerOptions& options,
                        const std::function<void(const Migration&)>& on_start) {
  require_writable(connection);
  const RunnerLock lock(connection, options);
  create_history(connection, soon());
  const auto rows = status(connection, files, soon());
  require_no_drift(rows);
  std::vector<Applied> applied;
  for (const auto& file : files) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const StatusRow& each) {
      return each.version == file.version;
    });
    if (row->state != MigrationState::pending) continue;
    on_start(file);
    const auto began = SteadyClock::now();
    run_one(connection, file, options);
    applied.push_back(
        {file.name, std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began)});
  }
  return applied;
}

}  // namespace pantryd::migrate
