// Brings a database to the newest version: one migration, one transaction, with its row of history
// in the same transaction. Only one runner works at a time; the others poll for their turn.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "migrate/files.h"
#include "migrate/history.h"
#include "pg/connection.h"

namespace pantryd::migrate {

struct RunnerOptions {
  std::chrono::milliseconds lock_wait{60'000};    ///< for another runner to be done
  std::chrono::milliseconds lock_timeout{5'000};  ///< of a statement, for a table
  std::chrono::milliseconds statement_timeout{3'600'000};
  std::string tool_version;
  const StopFlag* stop = nullptr;
};

enum class MigrationState { applied, pending, edited, missing_file };
[[nodiscard]] std::string_view to_string(MigrationState state);

struct StatusRow {
  std::int64_t version = 0;
  std::string name;
  MigrationState state = MigrationState::pending;
  std::string finished_at;
  std::int64_t duration_ms = 0;
};

/// Files against history, by version. Needs no lock and changes nothing.
[[nodiscard]] std::vector<StatusRow> status(pg::Connection& connection,
                                            const std::vector<Migration>& files, Deadline deadline);

struct Applied {
  std::string name;
  std::chrono::milliseconds took;
};

/// Runs what is pending and returns it; `on_start` is told each before it runs.
/// Throws Error(drift) when an applied file was edited or is missing, Error(lock) when another
/// runner did not finish in time, PgError(statement) that names the file.
[[nodiscard]] std::vector<Applied> up(pg::Connection& connection,
                                      const std::vector<Migration>& files,
                                      const RunnerOptions& options,
                                      const std::function<void(const Migration&)>& on_start);

}  // namespace pantryd::migrate
