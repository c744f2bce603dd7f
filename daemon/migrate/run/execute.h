// Private to the runner: one section of one file, in one transaction or statement by statement.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "migrate/run/blockers.h"
#include "migrate/run/history.h"
#include "migrate/run/options.h"
#include "migrate/sql/split.h"
#include "pg/connection.h"

namespace pantryd::migrate {

/// The runner's dedicated connection and what goes with it.
struct Session {
  pg::Connection& connection;
  const RunnerOptions& options;
  BlockerWatch& watch;
  std::string role;  ///< current_setting('role') of a fresh session, for the rows of history

  /// Tells options.before_step that the next thing happens now.
  void step(std::string_view what) const;
};

struct Task {
  const Migration* file = nullptr;
  Direction direction = Direction::up;
  std::vector<SqlStatement> statements;
  bool by_statement = false;
  std::optional<HistoryRow> half;  ///< of a file that stopped on the way

  [[nodiscard]] const SectionOptions& options() const {
    return direction == Direction::up ? file->up_options : file->down_options;
  }
};

/// Splits and checks a section before anything runs. Throws Error(usage) with file and line for
/// what cannot be run, Error(drift) when statements that ran already were edited.
[[nodiscard]] Task prepare_task(const Migration& file, Direction direction,
                                std::optional<HistoryRow> half, int server_version);

/// Session settings that no migration may leave changed for the next one.
void reset_session(Session& session);

/// Runs it, its row of history included. Throws PgError that names file and line, Error(lock) that
/// names who held the lock.
Finished run_task(Session& session, const Task& task);

}  // namespace pantryd::migrate
