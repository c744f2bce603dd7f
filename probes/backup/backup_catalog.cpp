// Orders and counts the records of a look; words for states and times.
#include "probes/backup/backup_catalog.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/units.h"

namespace pantryd {

std::string_view to_string(BackupState state) {
  switch (state) {
    case BackupState::none:
      return "none";
    case BackupState::running:
      return "running";
    case BackupState::partial:
      return "partial";
    case BackupState::failed:
      return "failed";
    case BackupState::complete_unverified:
      return "complete-unverified";
    case BackupState::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(TimeSource source) {
  switch (source) {
    case TimeSource::content:
      return "content";
    case TimeSource::label:
      return "label";
    case TimeSource::file_time:
      return "file_time";
  }
  return "file_time";
}

const BackupRecord* BackupLook::newest_good() const {
  const auto found =
      std::find_if(records.begin(), records.end(), [](const auto& each) { return each.good(); });
  return found == records.end() ? nullptr : &*found;
}

const BackupRecord* BackupLook::newest_attempt() const {
  const auto found = std::find_if(records.begin(), records.end(), [](const auto& each) {
    return each.state != BackupState::running && each.state != BackupState::unknown;
  });
  return found == records.end() ? nullptr : &*found;
}

bool BackupLook::newest_attempt_failed() const {
  const auto* newest = newest_attempt();
  return newest != nullptr && !newest->good();
}

BackupState BackupLook::newest_state() const {
  return records.empty() ? BackupState::none : records.front().state;
}

std::size_t BackupLook::good_count() const {
  return static_cast<std::size_t>(
      std::count_if(records.begin(), records.end(), [](const auto& each) { return each.good(); }));
}

void sort_and_bound(std::vector<BackupRecord>& records) {
  std::sort(records.begin(), records.end(), [](const auto& left, const auto& right) {
    if (left.recovery_point != right.recovery_point) {
      return left.recovery_point > right.recovery_point;
    }
    return left.name > right.name;
  });
  if (records.size() > kBackupRecordsMax) records.resize(kBackupRecordsMax);
}

void refuse_future(BackupRecord& record, WallClock::time_point now) {
  const auto ahead = record.recovery_point - now;
  if (!record.good() || ahead <= kClockSkewAllowed) return;
  record.state = BackupState::unknown;
  record.reason =
      fmt::format("its recovery point {} is {} in the future: a clock is wrong",
                  format_utc(record.recovery_point),
                  format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(ahead)));
}

std::string format_utc(WallClock::time_point when) {
  const std::time_t seconds = WallClock::to_time_t(when);
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fields);
}

}  // namespace pantryd
