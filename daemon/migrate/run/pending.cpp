// Chooses what a run applies, in the order in which it is applied, and refuses what may not run.
#include "migrate/run/pending.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace pantryd::migrate {
void require_no_drift(const std::vector<StatusRow>& rows) {
  for (const auto& row : rows) {
    if (row.state == MigrationState::edited) {
      throw Error(ExitCode::drift, fmt::format("{} was edited after it was applied", row.name),
                  "Restore the file, and write the change as a new migration.");
    }
    if (row.state == MigrationState::missing_file) {
      throw Error(ExitCode::drift, fmt::format("{} was applied, but its file is missing", row.name),
                  "Restore the file, or use the version of pantryd that applied it.");
    }
  }
}

void require_version(const std::vector<Migration>& files, std::int64_t version) {
  const bool there = std::any_of(files.begin(), files.end(), [&](const Migration& each) {
    return each.kind == Kind::versioned && each.version == version;
  });
  if (there || version == 0) return;
  throw Error(ExitCode::usage, fmt::format("there is no migration {}", version),
              "pantryd migrate status lists them.");
}

std::vector<Task> pending_up(const std::vector<StatusRow>& rows, const RunnerOptions& options,
                             int server_version) {
  std::vector<Task> out;
  for (const auto& row : rows) {
    if (!is_pending(row.state)) continue;
    if (row.history && row.state == MigrationState::half_done &&
        row.history->direction == Direction::down) {
      throw Error(ExitCode::failed, fmt::format("{} is half undone", row.name),
                  "Complete that first: pantryd migrate down.");
    }
    const bool beyond =
        options.to && (row.file->kind == Kind::repeatable || row.version > *options.to);
    if (beyond) continue;
    if (row.state == MigrationState::out_of_order && !options.allow_out_of_order) {
      throw Error(ExitCode::drift,
                  fmt::format("{} is pending, but one with a higher number is applied", row.name),
                  "Give it a new number, or run it all the same with --allow-out-of-order.");
    }
    const auto half = row.state == MigrationState::half_done ? row.history : std::nullopt;
    out.push_back(prepare_task(*row.file, Direction::up, half, server_version));
  }
  return out;
}

}  // namespace pantryd::migrate
