// Invariant: after run_outside() or make_way() returned or threw a statement's error, no invalid
// index of that statement is left, unless the connection broke or another session works on its
// table; then the next run's make_way() finds it. An index is dropped only if the statement itself
// names it, or names what it is a leftover of, and only while no other session works on its table.
#include "migrate/run/outside.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/log.h"
#include "migrate/run/indexes.h"
#include "migrate/run/ladder.h"
#include "migrate/run/limits.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

constexpr auto kOutsidePoll = milliseconds(500);

void set_limits(Session& session, milliseconds lock_timeout, milliseconds limit) {
  session.connection.exec(
      "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false)",
      pg::Params::of(std::to_string(lock_timeout.count()), std::to_string(limit.count())), soon());
}

/// Polls `look`, which names what is in the way, until it is empty. A wait inside the server would
/// leave an invalid index if it had to be given up.
template <typename Look>
void wait_until_clear(Session& session, const Place& place, Look look) {
  const auto deadline = Deadline::in(session.options.lock_budget);
  std::string told;
  for (;;) {
    const std::string in_the_way = look();
    if (in_the_way.empty()) return;
    if (deadline.expired()) {
      throw Error(ExitCode::lock,
                  fmt::format("{}: not started because of {}", place.text(), in_the_way),
                  "End that session or wait for it, then run the command again.");
    }
    if (told.empty()) log::warn("{}: not started because of {}", place.text(), in_the_way);
    told = in_the_way;
    if (session.options.stop_flag().wait(deadline.within(jittered(kOutsidePoll)))) {
      throw Error(ExitCode::failed, fmt::format("{}: interrupted", place.text()));
    }
  }
}

/// Who is at work on the tables of the statement now, and would be harmed by it or keep it waiting.
std::string others_at_work(Session& session, const SqlStatement& statement) {
  if (statement.kind == StatementKind::create_index_concurrently) {
    const auto found = find_index(session.connection, statement, soon());
    if (found.being_built) return "another session that builds " + found.name;
  }
  const auto at_work = builders(session.connection, statement, soon());
  return at_work.empty() ? std::string()
                         : "another session that works on the same table: " + describe(at_work);
}

/// A DROP that waits for the table's lock holds a snapshot, and a build that another session began
/// since we looked waits for such snapshots: a deadlock. The server looks for one after
/// deadlock_timeout and may end the other session, so we give way before that. A longer wait is for
/// transactions that use the table, once nobody builds there.
void drop_invalid(Session& session, const std::string& index, const SqlStatement& statement,
                  const Place& place) {
  auto& connection = session.connection;
  const auto deadline = Deadline::in(session.options.lock_budget);
  auto patience = milliseconds(connection
                                   .exec("SELECT setting::bigint / 2 FROM pg_catalog.pg_settings "
                                         "WHERE name = 'deadlock_timeout'",
                                         soon())
                                   .i64(0, 0));
  log::warn("{}: dropping the invalid index {}", place.text(), index);
  session.step("drop invalid index");
  SqlStatement drop;
  drop.sql = "DROP INDEX CONCURRENTLY IF EXISTS " + index;
  for (;;) {
    set_limits(session, std::max(patience, milliseconds(1)), session.options.statement_timeout);
    try {
      run_statement(session, drop, milliseconds(0), session.options.statement_timeout);
      session.watch.disarm();
      return;
    } catch (const pg::PgError& error) {
      session.watch.disarm();
      if (error.sqlstate() != pg::sqlstate::kLockNotAvailable || deadline.expired()) throw;
    }
    patience *= 2;
    wait_until_clear(session, place, [&] { return others_at_work(session, statement); });
  }
}

bool names_no_table(const SqlStatement& statement) {
  return statement.reindex == ReindexOf::schema || statement.reindex == ReindexOf::database;
}

/// REINDEX SCHEMA and DATABASE name no table, so a leftover there may be another session's work.
void report_leftovers(Session& session, const SqlStatement& statement, const Place& place) {
  for (const auto& index : reindex_leftovers(session.connection, statement, soon())) {
    log::warn(
        "{}: the invalid index {} may be a leftover of this statement; if no session builds "
        "it: DROP INDEX CONCURRENTLY {}",
        place.text(), index, index);
  }
}

/// Nobody else is at work on the tables of the statement when this is called.
void drop_leftovers(Session& session, const SqlStatement& statement, const Place& place) {
  if (statement.kind == StatementKind::create_index_concurrently) {
    const auto found = find_index(session.connection, statement, soon());
    if (found.state == IndexState::invalid && !found.on_other_table) {
      drop_invalid(session, found.name, statement, place);
    }
  } else if (statement.reindex == ReindexOf::index || statement.reindex == ReindexOf::table) {
    for (const auto& index : reindex_leftovers(session.connection, statement, soon())) {
      drop_invalid(session, index, statement, place);
    }
  }
}

/// After a failure that is reported anyway: what cannot be dropped now is left to the next run.
void drop_own_leftovers(Session& session, const SqlStatement& statement, const Place& place) {
  if (statement.kind != StatementKind::create_index_concurrently &&
      statement.kind != StatementKind::reindex_concurrently) {
    return;
  }
  if (names_no_table(statement)) {
    report_leftovers(session, statement, place);
    return;
  }
  try {
    wait_until_clear(session, place, [&] { return others_at_work(session, statement); });
    drop_leftovers(session, statement, place);
  } catch (const Error& error) {
    if (error.code() != ExitCode::lock || session.connection.broken()) throw;
    log::warn("{}: what the statement left is dropped by the next run: {}", place.text(),
              error.what());
  }
}

void require_right_table(const FoundIndex& found, const SqlStatement& statement,
                         const Place& place) {
  if (found.state == IndexState::absent || !found.on_other_table) return;
  throw Error(ExitCode::failed,
              fmt::format("{}: {} is the name of an index of another table than {}", place.text(),
                          found.name, statement.table),
              "Give the new index another name.");
}

/// The server's answer to a statement that had been done: it made or dropped its object.
bool says_done(const std::string& sqlstate) {
  constexpr std::array kExists{"42P04", "42P06", "42P07", "42710", "42723"};
  constexpr std::array kGone{"3D000", "42704", "42P01"};
  return std::find(kExists.begin(), kExists.end(), sqlstate) != kExists.end() ||
         std::find(kGone.begin(), kGone.end(), sqlstate) != kGone.end();
}

/// A detach that was cut off between its two transactions is ended by FINALIZE.
std::string finalize_of(const SqlStatement& statement) {
  std::string upper = statement.sql;
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  const std::string_view word = "CONCURRENTLY";
  const auto at = upper.rfind(word);
  return statement.sql.substr(0, at) + "FINALIZE" + statement.sql.substr(at + word.size());
}

void execute(Session& session, const SqlStatement& statement, const Place& place,
             milliseconds lock_timeout, milliseconds limit, bool begun) {
  constexpr std::string_view kPendingDetach = "55000";
  try {
    run_statement(session, statement, lock_timeout, limit);
  } catch (const pg::PgError& error) {
    if (error.failure() != pg::Failure::statement || session.connection.broken()) throw;
    if (statement.kind == StatementKind::detach_concurrently &&
        error.sqlstate() == kPendingDetach) {
      SqlStatement finish = statement;
      finish.sql = finalize_of(statement);
      run_statement(session, finish, lock_timeout, limit);
      return;
    }
    if (begun && says_done(error.sqlstate())) {
      log::warn("{}: taken as done by the run that was cut off: {}", place.text(), error.what());
      return;
    }
    drop_own_leftovers(session, statement, place);
    throw;
  }
}

}  // namespace

bool make_way(Session& session, const SqlStatement& statement, const Place& place, bool begun) {
  if (!is_concurrent(statement.kind)) return false;
  const auto found = find_index(session.connection, statement, soon());
  if (statement.kind == StatementKind::create_index_concurrently) {
    require_right_table(found, statement, place);
    if (begun && found.state == IndexState::valid) return true;
  }
  if (statement.kind == StatementKind::drop_index_concurrently && begun &&
      !statement.index.empty() && found.state == IndexState::absent) {
    return true;
  }
  wait_until_clear(session, place, [&] {
    auto in_the_way = others_at_work(session, statement);
    if (!in_the_way.empty()) return in_the_way;
    const auto old = old_transactions(session.connection, session.options.old_transaction, soon());
    return old.empty() ? std::string() : "an old transaction: " + describe(old);
  });
  if (begun && names_no_table(statement)) report_leftovers(session, statement, place);
  drop_leftovers(session, statement, place);
  return false;
}

void run_outside(Session& session, const SqlStatement& statement, const Place& place,
                 milliseconds lock_timeout, milliseconds limit, bool begun) {
  // A concurrent statement locks nobody out while it waits, and a timeout would leave it half done:
  // its guards are the statement timeout and the look at old transactions before.
  const auto waits = is_concurrent(statement.kind) ? milliseconds(0) : lock_timeout;
  set_limits(session, waits, limit);
  execute(session, statement, place, waits, limit, begun);
  session.watch.disarm();
  set_limits(session, kShortStatement, milliseconds(0));
  if (statement.kind != StatementKind::create_index_concurrently) return;
  const auto found = find_index(session.connection, statement, soon());
  if (found.state == IndexState::valid) return;
  throw Error(ExitCode::failed,
              fmt::format("{}: the index {} is not valid after it was built", place.text(),
                          statement.index),
              "Run the command again: it is dropped and built again.");
}

void require_no_invalid(Session& session, const SqlStatement& statement, const Place& place) {
  if (statement.kind != StatementKind::create_index || !statement.if_not_exists) return;
  const auto found = find_index(session.connection, statement, soon());
  require_right_table(found, statement, place);
  if (found.state != IndexState::invalid) return;
  throw Error(ExitCode::failed,
              fmt::format("{}: {} exists and is invalid, so IF NOT EXISTS would skip it",
                          place.text(), found.name),
              fmt::format("Drop it first: DROP INDEX CONCURRENTLY {}.", found.name));
}

}  // namespace pantryd::migrate
