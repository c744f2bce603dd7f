#include "migrate/run/retry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "migrate/run/ladder.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

constexpr auto kShortStatement = std::chrono::seconds(30);
/// The server's own timeout comes first; ours is for a server that does not answer.
constexpr auto kClientGrace = std::chrono::seconds(5);
constexpr auto kFirstLookMax = milliseconds(200);
constexpr auto kFirstLookConcurrent = milliseconds(1000);

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

}  // namespace

std::string Place::text() const {
  return line == 0 ? name + ".sql" : fmt::format("{}.sql:{}", name, line);
}

int with_retries(Session& session, const Place& place, milliseconds lock_timeout_max,
                 const Attempt& attempt) {
  static const StopFlag never;
  const auto& stop = session.options.stop != nullptr ? *session.options.stop : never;
  const auto began = SteadyClock::now();
  Ladder ladder(lock_timeout_max, session.options.lock_budget);
  for (;;) {
    try {
      attempt(ladder.lock_timeout(), ladder.attempt());
      session.watch.disarm();
      return ladder.attempt();
    } catch (const pg::PgError& error) {
      const auto blockers = session.watch.disarm();
      const bool idle = session.connection.make_idle(Deadline::in(kShortStatement));
      if (!idle || !may_retry(error)) {
        throw pg::PgError(
            error.failure(), error.sqlstate(), fmt::format("{}: {}", place.text(), error.what()),
            error.hint().empty() ? "Correct the file and run the command again; statements that "
                                   "were done are not run twice."
                                 : error.hint());
      }
      const int number = ladder.attempt();
      const auto waited = ladder.lock_timeout();
      const auto reason = reason_of(error, blockers);
      const auto pause = ladder.climb();
      if (!pause) {
        const auto spent = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
        throw Error(ExitCode::lock,
                    fmt::format("{}: no lock in {} attempts over {}: {}", place.text(), number,
                                format_duration(spent), reason),
                    "End that session or wait for it, then run the command again; --lock-budget "
                    "sets the patience.");
      }
      log::warn("{}: attempt {}, gave way after {}; next in {}: {}", place.text(), number,
                format_duration(waited), format_duration(*pause), reason);
      if (stop.wait(Deadline::in(*pause))) {
        throw Error(ExitCode::failed, fmt::format("{}: interrupted", place.text()));
      }
    } catch (...) {
      session.watch.disarm();
      (void)session.connection.make_idle(Deadline::in(kShortStatement));
      throw;
    }
  }
}

void run_statement(Session& session, const SqlStatement& statement, milliseconds lock_timeout,
                   milliseconds limit) {
  session.step(statement.sql);
  const bool patient = lock_timeout.count() == 0;
  session.watch.arm(patient ? kFirstLookConcurrent : std::min(lock_timeout / 3, kFirstLookMax),
                    patient);
  session.connection.exec_script(statement.sql, Deadline::in(limit + kClientGrace));
}

}  // namespace pantryd::migrate
