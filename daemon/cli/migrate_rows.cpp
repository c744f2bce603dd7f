// Writes the states of migrations as text and as JSON.
#include "cli/migrate_rows.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace pantryd::cli {

using migrate::MigrationState;

void print_row(const migrate::StatusRow& row) {
  std::string more = row.finished_at;
  if (row.state == MigrationState::half_done) {
    more = fmt::format("{} of {} statements{}", row.history->statements_done,
                       row.history->statements_total,
                       row.history->error.empty() ? "" : "; " + row.history->error);
  }
  fmt::print("{:<12} {:<40} {}\n", migrate::to_string(row.state), row.name, more);
}

nlohmann::json json_of(const std::vector<migrate::StatusRow>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : rows) {
    nlohmann::json each{{"migration", row.version},
                        {"name", row.name},
                        {"state", migrate::to_string(row.state)},
                        {"finished_at", row.finished_at},
                        {"duration_ms", row.duration_ms}};
    if (row.history) {
      each["statements_done"] = row.history->statements_done;
      each["statements_total"] = row.history->statements_total;
      each["error"] = row.history->error;
    }
    list.push_back(std::move(each));
  }
  return list;
}

bool is_drift(MigrationState state) {
  return state == MigrationState::edited || state == MigrationState::missing_file ||
         state == MigrationState::out_of_order;
}

int print_applied(const Context& context, const std::vector<migrate::Applied>& applied,
                  const char* format, const char* verb, const char* nothing) {
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : applied) {
      list.push_back(
          {{"name", each.name}, {"duration_ms", each.took.count()}, {"attempts", each.attempts}});
    }
    const nlohmann::json json{{"format", format}, {"version", 1}, {verb, list}};
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  for (const auto& each : applied) {
    fmt::print("{} {} in {}\n", verb, each.name, format_duration(each.took));
  }
  if (applied.empty()) fmt::print("{}\n", nothing);
  return 0;
}

}  // namespace pantryd::cli
