// What ran when: the table pantryd.migrations, in a schema of its own so that the shop's schema
// holds nothing of ours.
//
// A row is `done`, or its file runs statement by statement and stopped on the way: `running` (it
// was cut off, or it runs now) or `failed` (the server refused a statement). Of such a file
// statements_done statements are committed; statement_started is one more than that exactly when
// the next one was begun outside of a transaction and its end was not recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "pg/connection.h"

namespace pantryd::migrate {

enum class Direction { up, down };

struct HistoryRow {
  std::string id;            ///< Migration::id()
  std::int64_t version = 0;  ///< 0 for a repeatable one
  std::string name;
  Kind kind = Kind::versioned;
  std::string checksum;
  std::string state;  ///< "done", "running", "failed"
  Direction direction = Direction::up;
  int statements_total = 0;
  int statements_done = 0;
  int statement_started = 0;
  std::string done_checksum;  ///< of the texts of the statements done
  std::string error;          ///< of a failed one
  std::string finished_at;    ///< as the server writes a timestamptz
  std::int64_t duration_ms = 0;
  int attempts = 0;
  std::string source;  ///< "pantryd", or "knex": Knex ran it and its row was adopted
};

struct Finished {
  std::chrono::milliseconds took{0};
  int statements = 0;
  int attempts = 1;  ///< more than 1: locks were waited for
};

/// Empty when the table does not exist yet.
[[nodiscard]] std::vector<HistoryRow> read_history(pg::Connection& connection, Deadline deadline);
/// Creates schema and tables where they are missing, and adds columns that an older pantryd did not
/// have.
void create_history(pg::Connection& connection, Deadline deadline);

/// In the migration's own transaction: both happen or neither.
void record_done(pg::Connection& connection, const Migration& migration, const Finished& finished,
                 const std::string& tool_version, Deadline deadline);
void record_undone(pg::Connection& connection, const Migration& migration, Deadline deadline);

/// That Knex applied it: at `time` (as the server writes a timestamptz; it may not be known), in
/// its run number `batch`.
void record_adopted(pg::Connection& connection, const Migration& migration,
                    const std::optional<std::string>& time, std::optional<std::int64_t> batch,
                    const std::string& tool_version, Deadline deadline);

/// A file that runs statement by statement. begin: a new row, or the one there taken up again.
struct Progress {
  int done = 0;
  std::string done_checksum;
};
void record_begin(pg::Connection& connection, const Migration& migration, Direction direction,
                  int total, const Progress& progress, const std::string& tool_version,
                  Deadline deadline);
void record_started(pg::Connection& connection, const Migration& migration, int statement,
                    Deadline deadline);
void record_progress(pg::Connection& connection, const Migration& migration,
                     const Progress& progress, Deadline deadline);
void record_failed(pg::Connection& connection, const Migration& migration, const std::string& error,
                   bool outcome_known, Deadline deadline);
void record_end(pg::Connection& connection, const Migration& migration, Direction direction,
                const Finished& finished, Deadline deadline);

}  // namespace pantryd::migrate
