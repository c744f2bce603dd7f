// The backup probe: looks at the folders that the configuration names, and says what it found as
// metric samples and as a verdict. It touches no PostgreSQL.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "probes/backup/reader.h"
#include "probes/engine/coded.h"

namespace pantryd {

struct BackupSource {
  std::string name;                  ///< label of its metrics
  const BackupKind* kind = nullptr;  ///< a row of the table of kinds; never null in a probe
  std::string path;                  ///< a folder of backups, or one backup that is a folder
  std::chrono::milliseconds age_limit_ms = std::chrono::hours(26);
  backup::ReaderOptions reader;
};

struct BackupVerdict {
  bool ok = false;
  std::string evidence;  ///< one line
};

/// Looks again and again at one source, and remembers the last look. Not for two threads at once.
class BackupProbe {
 public:
  explicit BackupProbe(BackupSource source);
  ~BackupProbe();
  BackupProbe(BackupProbe&&) noexcept;
  BackupProbe& operator=(BackupProbe&&) noexcept;

  /// Never throws for what is on disk. A file system that does not answer (a network mount that
  /// hangs) gives readable = false at the deadline, and so does every look until it answers.
  [[nodiscard]] BackupLook look(Deadline deadline, WallClock::time_point now = WallClock::now());
  [[nodiscard]] const BackupSource& source() const { return source_; }

 private:
  struct State;
  struct Turn;
  BackupSource source_;
  std::shared_ptr<State> state_;
};

/// One look without a memory.
[[nodiscard]] BackupLook look_at(const BackupSource& source, Deadline deadline,
                                 WallClock::time_point now = WallClock::now());

/// pantryd_backup_* with the labels kind and name; the caller adds `target`. Without a good backup
/// there is no timestamp, no age and no size: absence is not an age of 0. A folder that could not
/// be read gives only pantryd_backup_readable 0 and the limit.
[[nodiscard]] std::vector<probes::Sample> backup_samples(const BackupSource& source,
                                                         const BackupLook& look,
                                                         WallClock::time_point now);

[[nodiscard]] const probes::ProbeDescription& backup_description();
/// The probe called "backup": looks at all of `sources`.
[[nodiscard]] probes::LocalProbe backup_probe(std::vector<BackupSource> sources);

/// The claim backup-daily: the newest good recovery point is younger than the limit, and the newest
/// attempt did not fail.
[[nodiscard]] BackupVerdict judge_backup(const BackupSource& source, const BackupLook& look,
                                         WallClock::time_point now);

}  // namespace pantryd
