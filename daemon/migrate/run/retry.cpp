// Repeats what failed for a lock, a deadlock or a serialization failure, and nothing else: any
// other failure is the caller's at once.
#include "migrate/run/retry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "migrate/run/ladder.h"
#include "migrate/run/limits.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

/// The server's own timeout comes first; ours is for a server that does not answer.
constexpr auto kClientGrace = std::chrono::seconds(5);
constexpr auto kFirstLookMax = milliseconds(200);
constexpr auto kFirstLookConcurrent = milliseconds(1000);

/// A lock was not granted in time, or the server ended the transaction in favour of another.
bool may_retry(const pg::PgError& error) {
  return error.failure() == pg::Failure::statement &&
         (error.sqlstate() == pg::sqlstate::kLockNotAvailable ||
          pg::sqlstate::is_retryable(error.sqlstate()));
}

std::string reason_of(const pg::PgError& error, const std::vector<Blocker>& blockers) {
  if (error.sqlstate() == pg::sqlstate::kLockNotAvailable) {
    return "the lock is held by " + describe(blockers);
  }
  return error.what();
}

/// Pauses before the next attempt. Throws Error(lock) when the budget is spent.
void give_way(Session& session, const std::string& place, Ladder& ladder,
              const std::string& reason) {
  const int number = ladder.attempt();
  const auto waited = ladder.lock_timeout();
  const auto pause = ladder.climb();
  if (!pause) {
    throw Error(ExitCode::lock,
                fmt::format("{}: no lock in {} attempts over {}: {}", place, number,
                            format_duration(ladder.spent()), reason),
                "End that session or wait for it, then run the command again; --lock-budget "
                "sets the patience.");
  }
  log::warn("{}: attempt {}, gave way after {}; next in {}: {}", place, number,
            format_duration(waited), format_duration(*pause), reason);
  if (session.options.stop_flag().wait(Deadline::in(*pause))) {
    throw Error(ExitCode::failed, fmt::format("{}: interrupted", place));
  }
}

}  // namespace

std::string Place::text() const {
  return line == 0 ? name + ".sql" : fmt::format("{}.sql:{}", name, line);
}

bool refuses_transaction(const pg::PgError& error) {
  constexpr std::string_view kActiveTransaction = "25001";
  constexpr std::string_view kInvalidTermination = "2D000";
  return error.sqlstate() == kActiveTransaction || error.sqlstate() == kInvalidTermination;
}

void watch_for_lock(Session& session, milliseconds lock_timeout) {
  session.watch.arm(std::min(lock_timeout / 3, kFirstLookMax), false);
}

int retry_for_locks(Session& session, milliseconds lock_timeout_max, const PlaceName& place,
                    const TryOnce& attempt) {
  Ladder ladder(lock_timeout_max, session.options.lock_budget);
  for (;;) {
    try {
      attempt(ladder.lock_timeout(), ladder.attempt());
      session.watch.disarm();
      return ladder.attempt();
    } catch (const pg::PgError& error) {
      const auto blockers = session.watch.disarm();
      const bool idle = session.connection.make_idle(soon());
      if (!idle || !may_retry(error)) throw;
      give_way(session, place(), ladder, reason_of(error, blockers));
    } catch (...) {
      session.watch.disarm();
      (void)session.connection.make_idle(soon());
      throw;
    }
  }
}

int with_retries(Session& session, const Place& place, milliseconds lock_timeout_max,
                 const TryOnce& attempt) {
  try {
    return retry_for_locks(
        session, lock_timeout_max, [&] { return place.text(); }, attempt);
  } catch (const pg::PgError& error) {
    throw pg::PgError(
        error.failure(), error.sqlstate(), fmt::format("{}: {}", place.text(), error.what()),
        error.hint().empty() ? "Correct the file and run the command again; statements that "
                               "were done are not run twice."
                             : error.hint());
  }
}

void run_statement(Session& session, const SqlStatement& statement, milliseconds lock_timeout,
                   milliseconds limit) {
  session.step(statement.sql);
  const bool patient = lock_timeout.count() == 0;
  if (patient) {
    session.watch.arm(kFirstLookConcurrent, true);
  } else {
    watch_for_lock(session, lock_timeout);
  }
  session.connection.exec_script(statement.sql, Deadline::in(limit + kClientGrace));
}

}  // namespace pantryd::migrate
