// Joins the files with the history, row by row; reads neither of them itself.
#include "migrate/run/status.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace pantryd::migrate {
namespace {

MigrationState judge(const Migration& file, const HistoryRow& row) {
  if (row.state != "done") return MigrationState::half_done;
  if (file.checksum == row.checksum) return MigrationState::applied;
  return file.kind == Kind::repeatable ? MigrationState::changed : MigrationState::edited;
}

}  // namespace

std::string_view to_string(MigrationState state) {
  switch (state) {
    case MigrationState::applied:
      return "applied";
    case MigrationState::pending:
      return "pending";
    case MigrationState::out_of_order:
      return "out of order";
    case MigrationState::changed:
      return "changed";
    case MigrationState::half_done:
      return "half done";
    case MigrationState::edited:
      return "edited";
    case MigrationState::missing_file:
      return "missing file";
  }
  return "unknown";
}

bool is_pending(MigrationState state) {
  return state == MigrationState::pending || state == MigrationState::out_of_order ||
         state == MigrationState::changed || state == MigrationState::half_done;
}

std::vector<StatusRow> status(pg::Connection& connection, const std::vector<Migration>& files,
                              Deadline deadline) {
  std::map<std::tuple<Kind, std::int64_t, std::string>, StatusRow> rows;
  const auto key = [](Kind kind, std::int64_t version, const std::string& name) {
    return std::tuple(kind, version, kind == Kind::versioned ? std::string() : name);
  };
  for (const auto& file : files) {
    StatusRow row;
    row.version = file.version;
    row.name = file.name;
    row.file = &file;
    rows[key(file.kind, file.version, file.name)] = std::move(row);
  }
  std::int64_t newest = -1;
  for (auto& done : read_history(connection, deadline)) {
    if (done.kind == Kind::versioned) newest = std::max(newest, done.version);
    auto& row = rows[key(done.kind, done.version, done.name)];
    row.state = row.file == nullptr ? MigrationState::missing_file : judge(*row.file, done);
    row.version = done.version;
    row.name = done.name;
    row.finished_at = done.finished_at;
    row.duration_ms = done.duration_ms;
    row.history = std::move(done);
  }
  std::vector<StatusRow> out;
  for (auto& [at, row] : rows) {
    if (row.state == MigrationState::pending && std::get<0>(at) == Kind::versioned &&
        row.version < newest) {
      row.state = MigrationState::out_of_order;
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace pantryd::migrate
