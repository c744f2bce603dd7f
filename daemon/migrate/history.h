// What ran when: the table pantryd.migrations, in a schema of its own so that the shop's schema
// holds nothing of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migrate/files.h"
#include "pg/connection.h"

namespace pantryd::migrate {

struct HistoryRow {
  std::int64_t version = 0;
  std::string name;
  std::string checksum;
  std::string state;        ///< "done"
  std::string finished_at;  ///< as the server writes a timestamptz
  std::int64_t duration_ms = 0;
};

/// Empty when the table does not exist yet.
[[nodiscard]] std::vector<HistoryRow> read_history(pg::Connection& connection, Deadline deadline);
/// Creates schema and table where they are missing.
void create_history(pg::Connection& connection, Deadline deadline);
/// In the migration's own transaction: both happen or neither.
void record_done(pg::Connection& connection, const Migration& migration,
                 std::chrono::milliseconds took, const std::string& tool_version,
                 Deadline deadline);

}  // namespace pantryd::migrate
