// Files against history: what is applied, what waits, what does not fit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "migrate/run/history.h"
#include "pg/connection.h"

namespace pantryd::migrate {

enum class MigrationState {
  applied,
  pending,
  out_of_order,  ///< pending, with a number below one that is applied
  changed,       ///< a repeatable one that was edited: it runs again
  half_done,     ///< a file that runs statement by statement stopped on the way
  edited,        ///< a versioned one that was edited after it was applied
  missing_file,  ///< applied, and there is no such file
};
[[nodiscard]] std::string_view to_string(MigrationState state);
/// True for the states that `up` brings forward.
[[nodiscard]] bool is_pending(MigrationState state);

struct StatusRow {
  std::int64_t version = 0;
  std::string name;
  MigrationState state = MigrationState::pending;
  std::string finished_at;
  std::int64_t duration_ms = 0;
  std::optional<HistoryRow> history;
  const Migration* file = nullptr;  ///< into `files` of the call; null when it is missing
};

/// By version, the repeatable ones last. Needs no lock and changes nothing.
[[nodiscard]] std::vector<StatusRow> status(pg::Connection& connection,
                                            const std::vector<Migration>& files, Deadline deadline);

}  // namespace pantryd::migrate
