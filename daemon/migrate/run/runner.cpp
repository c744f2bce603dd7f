// Invariants: nothing is changed before the advisory lock is held; a run is open in
// pantryd.catalogue_fingerprint before the first file runs, and closed after the last one that ran,
// also when one failed.
#include "migrate/run/runner.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "migrate/catalogue/drift.h"
#include "migrate/run/execute.h"
#include "migrate/run/limits.h"
#include "migrate/run/pending.h"
#include "migrate/run/session_lock.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

constexpr std::size_t kDriftLinesToldMax = 5;

using OnStart = std::function<void(const Migration&)>;

Task plan_undo(const StatusRow& row, int server_version) {
  const bool half = row.state == MigrationState::half_done;
  if (half && row.history->direction == Direction::up) {
    throw Error(ExitCode::failed, fmt::format("{} is half applied", row.name),
                "Complete it first: pantryd migrate up.");
  }
  if (row.file->down.empty()) {
    throw Error(ExitCode::failed, fmt::format("{} has no down section", row.name),
                "Write a new migration that undoes it. Nothing was changed.");
  }
  return prepare_task(*row.file, Direction::down, half ? row.history : std::nullopt,
                      server_version);
}

std::vector<Task> plan_down(const std::vector<StatusRow>& rows, const RunnerOptions& options,
                            int server_version) {
  std::vector<Task> out;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!row->history || row->history->kind != Kind::versioned) continue;
    if (options.to && row->version <= *options.to) break;
    out.push_back(plan_undo(*row, server_version));
    if (!options.to) break;
  }
  return out;
}

/// Whatever was changed by hand is told before it is built upon; a run does not make it right.
void tell_drift(pg::Connection& connection) {
  const auto drift = compare_catalogue(connection, for_catalogue());
  if (drift.state != CatalogueDrift::State::drifted) return;
  std::string lines;
  std::size_t told = 0;
  for (const auto* list : {&drift.added, &drift.removed}) {
    for (const auto& line : *list) {
      if (told++ >= kDriftLinesToldMax) break;
      lines += fmt::format(" {} {};", list == &drift.added ? "+" : "-", line.substr(0, 120));
    }
  }
  log::warn("the catalogue was changed by hand since {}:{} see pantryd migrate verify",
            drift.recorded_at, lines);
}

/// Records the end of a run whatever became of it; its own failure must not hide the run's.
void close_after_failure(pg::Connection& connection) noexcept {
  try {
    if (!connection.broken() && connection.make_idle(soon())) {
      close_run(connection, for_catalogue());
    }
  } catch (const std::exception& error) {
    (void)connection.make_idle(soon());
    log::debug("the catalogue was not recorded: {}", error.what());
  }
}

std::vector<Applied> run_all(Session& session, SessionLock& lock, const std::vector<Task>& tasks,
                             const OnStart& on_start) {
  std::vector<Applied> applied;
  tell_drift(session.connection);
  session.step("open run");
  open_run(session.connection, for_catalogue());
  try {
    for (const auto& task : tasks) {
      on_start(*task.file);
      const auto finished = run_task(session, task);
      applied.push_back({task.file->name, finished.took, finished.attempts});
      reset_session(session);
      lock.require_held();
    }
  } catch (...) {
    try {
      if (!session.connection.broken()) reset_session(session);
    } catch (const std::exception&) {
      // The connection is of no use any more; the next run closes this one.
    }
    close_after_failure(session.connection);
    throw;
  }
  session.step("close run");
  close_run(session.connection, for_catalogue());
  return applied;
}

using Plan = std::vector<Task> (*)(const std::vector<StatusRow>&, const RunnerOptions&, int);

std::vector<Applied> run(pg::Connection& connection, const std::vector<Migration>& files,
                         const RunnerOptions& options, const OnStart& on_start, Plan plan,
                         const Precondition& precondition) {
  require_writable(connection);
  if (options.to) require_version(files, *options.to);
  SessionLock lock(connection, options.lock_wait, options.stop_flag());
  BlockerWatch watch(connection.conninfo(), lock.session_pid());
  Session session{connection, options, watch, "none"};
  reset_session(session);
  session.role = connection.exec("SELECT current_setting('role')", soon()).text(0, 0);
  if (precondition) precondition(connection);
  create_history(connection, soon());
  const auto rows = status(connection, files, soon());
  require_no_drift(rows);
  const auto tasks = plan(rows, options, connection.server_version());
  if (tasks.empty()) {
    // A run that was killed after its last file is still open.
    close_run(connection, for_catalogue());
    return {};
  }
  return run_all(session, lock, tasks, on_start);
}

}  // namespace

std::vector<Applied> run_up(pg::Connection& connection, const std::vector<Migration>& files,
                            const RunnerOptions& options, const OnStart& on_start,
                            const Precondition& precondition) {
  return run(connection, files, options, on_start, &pending_up, precondition);
}

std::vector<Applied> down(pg::Connection& connection, const std::vector<Migration>& files,
                          const RunnerOptions& options, const OnStart& on_start) {
  return run(connection, files, options, on_start, &plan_down, {});
}

void accept_drift(pg::Connection& connection, const RunnerOptions& options) {
  require_writable(connection);
  const SessionLock lock(connection, options.lock_wait, options.stop_flag());
  create_history(connection, soon());
  for (const auto& row : read_history(connection, soon())) {
    if (row.state == "done") continue;
    throw Error(ExitCode::failed, fmt::format("{} is half done", row.name),
                "Complete it first: pantryd migrate up.");
  }
  accept_catalogue(connection, for_catalogue());
}

}  // namespace pantryd::migrate
