// What a look at a folder of backups found. Three rules hold everywhere: a folder that is empty and
// one that cannot be read are different, neither has an age, and nothing here says "verified":
// only a restore may (see daemon/drill).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd {

/// `unknown` is a backup that could not be judged (a clock that is wrong, no right to read it, a
/// compression that is not read here): never good, and never counted as a failed attempt either.
enum class BackupState { none, running, partial, failed, complete_unverified, unknown };

/// Where the recovery point was read from.
///   content   the start that pg_dump wrote into the archive, or a sidecar FILE.pantryd.json
///   label     the stamp of backup_label in a base backup
///   file_time modification time of the file: later than the truth by the length of the dump
enum class TimeSource { content, label, file_time };

[[nodiscard]] std::string_view to_string(BackupState state);  ///< "complete-unverified"
[[nodiscard]] std::string_view to_string(TimeSource source);

using WallClock = std::chrono::system_clock;

/// A recovery point this far ahead of our clock means that a clock is wrong.
inline constexpr std::chrono::seconds kClockSkewAllowed{60};
/// Records a look holds at most: the newest are kept.
inline constexpr std::size_t kBackupRecordsMax = 10'000;

/// One attempt at a backup: a file, or a folder.
struct BackupRecord {
  std::string name;
  std::string_view kind;  ///< name of the row in the table of kinds
  std::string format;     ///< plain, plain.gz, cluster, custom, directory, tar, base, base.tar, ...
  WallClock::time_point recovery_point;  ///< what a restore brings back: the START of a dump
  WallClock::time_point finished_at;     ///< when its last byte was written
  std::int64_t size_bytes = 0;           ///< on disk; of a plain base backup: as its manifest says
  BackupState state = BackupState::unknown;
  TimeSource time_source = TimeSource::file_time;
  std::string reason;  ///< one line: why it is not good; of a good one: what was not looked at
  std::optional<std::uint64_t> system_identifier;  ///< of the cluster (base backups)

  [[nodiscard]] bool good() const { return state == BackupState::complete_unverified; }
};

struct BackupLook {
  bool readable = false;
  std::string reason;                 ///< why not readable, or what was left out of the look
  std::vector<BackupRecord> records;  ///< newest recovery point first

  /// nullptr when there is none.
  [[nodiscard]] const BackupRecord* newest_good() const;
  /// The newest attempt that has ended and could be judged; nullptr when there is none.
  [[nodiscard]] const BackupRecord* newest_attempt() const;
  /// It is partial, empty or damaged.
  [[nodiscard]] bool newest_attempt_failed() const;
  /// Of the newest record, running and unknown ones too; `none` for an empty folder.
  [[nodiscard]] BackupState newest_state() const;
  [[nodiscard]] std::size_t good_count() const;
};

/// Newest first, at most kBackupRecordsMax.
void sort_and_bound(std::vector<BackupRecord>& records);

/// A recovery point that lies in the future makes a good backup `unknown`.
void refuse_future(BackupRecord& record, WallClock::time_point now);

/// "2026-11-22 11:27:21 UTC".
[[nodiscard]] std::string format_utc(WallClock::time_point when);

}  // namespace pantryd
