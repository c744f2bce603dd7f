// Invariants: a transaction holds either a whole section and its row of history, or one statement
// and its progress, so that both are there or neither. Only a statement that the server refuses to
// run in a transaction runs outside of one; that it was begun is committed first, so that a later
// run knows it to be in doubt.
#include "migrate/run/execute.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "migrate/run/ladder.h"
#include "migrate/run/limits.h"
#include "migrate/run/outside.h"
#include "migrate/run/retry.h"
#include "migrate/sql/parser.h"
#include "pg/identifier.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

/// History is written as who we logged in, whatever role the migration took on.
void as_ourselves(Session& session) {
  const auto role = session.role == "none" ? "NONE" : pg::quote_identifier(session.role);
  session.connection.exec_script("SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE " + role,
                                 soon());
}

template <typename Write>
void write_history(Session& session, std::string_view what, Write write) {
  session.step(what);
  session.connection.exec("BEGIN", soon());
  as_ourselves(session);
  write();
  session.connection.exec("COMMIT", soon());
}

void begin(Session& session, milliseconds lock_timeout, milliseconds statement_timeout) {
  session.connection.exec("BEGIN", soon());
  session.connection.exec(
      "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
      pg::Params::of(std::to_string(lock_timeout.count()),
                     std::to_string(statement_timeout.count())),
      soon());
}

void require_open(Session& session, const Place& place) {
  if (!session.connection.idle()) return;
  throw Error(ExitCode::failed,
              fmt::format("{}: the file ended the runner's transaction itself", place.text()),
              "Take COMMIT and ROLLBACK out; what ran before them is kept but not recorded.");
}

Finished run_in_transaction(Session& session, const Task& task) {
  const auto& options = task.options();
  const auto limit = options.statement_timeout.value_or(session.options.statement_timeout);
  const auto began = SteadyClock::now();
  Finished finished;
  finished.statements = static_cast<int>(task.statements.size());
  Place place{task.file->name, 0};
  finished.attempts = with_retries(
      session, place, options.lock_timeout.value_or(session.options.lock_timeout),
      [&](milliseconds lock_timeout, int attempt) {
        session.step("BEGIN");
        begin(session, lock_timeout, limit);
        for (const auto& statement : task.statements) {
          place.line = statement.line;
          require_no_invalid(session, statement, place);
          run_statement(session, statement, lock_timeout, limit);
          require_open(session, place);
        }
        finished.attempts = attempt;
        finished.took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
        session.step("history");
        as_ourselves(session);
        if (task.direction == Direction::up) {
          record_done(session.connection, *task.file, finished, session.options.tool_version,
                      soon());
        } else {
          record_undone(session.connection, *task.file, soon());
        }
        session.step("COMMIT");
        // Deferred constraints are checked here: it may take as long as a statement.
        session.connection.exec("COMMIT", Deadline::in(limit));
      });
  finished.took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
  return finished;
}

Progress next_progress(const Progress& progress, const SqlStatement& statement) {
  // What an editor may change without changing the file may change in what has run, too.
  auto text = normalise(statement.sql);
  text.pop_back();
  return {progress.done + 1, sha256_hex(progress.done_checksum + text)};
}

/// False when the server will not have this statement in a transaction; then nothing of it is left.
bool try_in_transaction(Session& session, const Task& task, const SqlStatement& statement,
                        const Progress& next, milliseconds lock_timeout, milliseconds limit) {
  try {
    session.step("BEGIN");
    begin(session, lock_timeout, limit);
    require_no_invalid(session, statement, {task.file->name, statement.line});
    run_statement(session, statement, lock_timeout, limit);
    session.step("progress");
    as_ourselves(session);
    record_progress(session.connection, *task.file, next, soon());
    session.step("COMMIT");
    session.connection.exec("COMMIT", Deadline::in(limit));
    return true;
  } catch (const pg::PgError& error) {
    if (!refuses_transaction(error)) throw;
    if (!session.connection.make_idle(soon())) throw;
    return false;
  }
}

/// One statement of a file that runs statement by statement. Returns the attempts it took.
int run_one(Session& session, const Task& task, const SqlStatement& statement, const Progress& next,
            bool in_doubt) {
  const auto& options = task.options();
  const auto lock_timeout_max = options.lock_timeout.value_or(session.options.lock_timeout);
  const auto limit = options.statement_timeout.value_or(session.options.statement_timeout);
  const Place place{task.file->name, statement.line};
  bool outside = in_doubt || is_concurrent(statement.kind);
  bool begun = in_doubt;
  const int attempts =
      with_retries(session, place, lock_timeout_max, [&](milliseconds lock_timeout, int) {
        if (!outside) {
          outside = !try_in_transaction(session, task, statement, next, lock_timeout, limit);
          if (!outside) return;
        }
        if (make_way(session, statement, place, begun)) return;
        if (!begun) {
          write_history(session, "started",
                        [&] { record_started(session.connection, *task.file, next.done, soon()); });
        }
        run_outside(session, statement, place, lock_timeout, limit, begun);
        begun = true;
      });
  if (outside) {
    write_history(session, "progress",
                  [&] { record_progress(session.connection, *task.file, next, soon()); });
  }
  return attempts;
}

void note_failure(Session& session, const Task& task, const std::string& text, bool known) {
  try {
    if (session.connection.broken() || !session.connection.make_idle(soon())) return;
    write_history(session, "failure",
                  [&] { record_failed(session.connection, *task.file, text, known, soon()); });
  } catch (const std::exception&) {
    // The row stays "running", which is resumed just so.
  }
}

Finished run_by_statement(Session& session, const Task& task) {
  const auto began = SteadyClock::now();
  const auto total = static_cast<int>(task.statements.size());
  Progress progress;
  int doubtful = 0;
  if (task.half) {
    progress = {task.half->statements_done, task.half->done_checksum};
    if (task.half->statement_started > progress.done) doubtful = task.half->statement_started;
    // prepare_task() gave up what the history has of another text.
    PANTRYD_ASSERT(progress.done >= 0 && progress.done <= total);
  }
  write_history(session, "history", [&] {
    record_begin(session.connection, *task.file, task.direction, total, progress,
                 session.options.tool_version, soon());
  });
  Finished finished;
  finished.statements = total;
  for (int i = 0; i < total; ++i) {
    const auto& statement = task.statements[static_cast<std::size_t>(i)];
    if (i < progress.done) {
      // Settings went with the session that made them.
      if (statement.kind == StatementKind::setting) {
        session.connection.exec_script(statement.sql, soon());
      }
      continue;
    }
    const auto next = next_progress(progress, statement);
    PANTRYD_ASSERT(next.done == i + 1);
    try {
      const int attempts = run_one(session, task, statement, next, doubtful == next.done);
      finished.attempts += attempts - 1;
    } catch (const pg::PgError& error) {
      note_failure(session, task, error.what(), error.failure() == pg::Failure::statement);
      throw;
    } catch (const Error& error) {
      note_failure(session, task, error.what(), error.code() == ExitCode::lock);
      throw;
    }
    progress = next;
  }
  PANTRYD_ASSERT(progress.done == total);
  finished.took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
  write_history(session, "end", [&] {
    record_end(session.connection, *task.file, task.direction, finished, soon());
  });
  return finished;
}

[[noreturn]] void refuse(const Task& task, int line, const std::string& what,
                         const std::string& hint) {
  throw Error(ExitCode::usage, fmt::format("{}.sql:{}: {}", task.file->name, line, what), hint);
}

std::vector<SqlStatement> read_statements(const Task& task, int server_version) {
  const auto& sql = task.direction == Direction::up ? task.file->up : task.file->down;
  auto pieces = split(sql);
  if (!pieces.error) return std::move(pieces.statements);
  const auto& error = *pieces.error;
  if (error.reason != SplitError::Reason::syntax) {
    refuse(task, error.line, error.message, "Write plain SQL; for rows write INSERT.");
  }
  if (server_version / 10000 <= parser_major()) {
    refuse(task, error.line, error.message, "Correct the file. Nothing was run.");
  }
  if (task.by_statement) {
    refuse(task, error.line, error.message,
           fmt::format("A file without a transaction must be in syntax that the parser of "
                       "PostgreSQL {} knows.",
                       parser_major()));
  }
  log::warn("{}.sql:{}: {}; sent whole, for the server may know newer syntax", task.file->name,
            error.line, error.message);
  SqlStatement whole;
  whole.sql = sql;
  whole.line = 1;
  return {whole};
}

void require_runnable(const Task& task, const SqlStatement& each) {
  if (each.kind == StatementKind::transaction_control) {
    refuse(task, each.line, "the runner begins and ends the transactions",
           "Take this statement out.");
  }
  if (each.kind == StatementKind::copy_from_stdin) {
    refuse(task, each.line, "COPY FROM STDIN has no data to read here", "Write INSERT instead.");
  }
  if (is_concurrent(each.kind) && task.options().transaction) {
    refuse(task, each.line, "a concurrent statement cannot run in a transaction",
           "Write -- migrate:no-transaction above the statements.");
  }
  if (each.kind == StatementKind::create_index_concurrently && each.index.empty()) {
    refuse(task, each.line, "the index has no name, so a leftover of it could not be found",
           "Name the index.");
  }
}

}  // namespace

void Session::step(std::string_view what) const {
  if (options.before_step) options.before_step(what);
}

Task prepare_task(const Migration& file, Direction direction, std::optional<HistoryRow> half,
                  int server_version) {
  Task task;
  task.file = &file;
  task.direction = direction;
  task.by_statement = !task.options().transaction || half.has_value();
  task.statements = read_statements(task, server_version);
  if (task.statements.empty()) {
    refuse(task, 1, "there is nothing to run but comments",
           "Write the statements below the line of their section.");
  }
  for (const auto& each : task.statements) require_runnable(task, each);
  if (!half) return task;
  Progress progress;
  const auto done = static_cast<std::size_t>(half->statements_done);
  for (std::size_t i = 0; i < std::min(done, task.statements.size()); ++i) {
    progress = next_progress(progress, task.statements[i]);
  }
  if (done <= task.statements.size() && progress.done_checksum == half->done_checksum) {
    task.half = std::move(half);
  } else if (file.kind == Kind::versioned) {
    throw Error(ExitCode::drift,
                fmt::format("{}.sql: its first {} statements have run and were edited since",
                            file.name, done),
                "Restore them; those that follow may be corrected.");
  }
  return task;
}

void reset_session(Session& session) {
  session.connection.exec_script(
      "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; SET statement_timeout = 0; "
      "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0; "
      "SET client_min_messages = warning",
      soon());
  try {
    // A server whose client was killed ends the statement, and frees our lock, within a second.
    session.connection.exec("SET client_connection_check_interval = '1s'", soon());
    if (session.connection.server_version() >= 170000) {
      session.connection.exec("SET transaction_timeout = 0", soon());
    }
  } catch (const pg::PgError& error) {
    if (error.failure() != pg::Failure::statement) throw;
  }
}

Finished run_task(Session& session, const Task& task) {
  return task.by_statement ? run_by_statement(session, task) : run_in_transaction(session, task);
}

}  // namespace pantryd::migrate
