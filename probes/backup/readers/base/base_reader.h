// Reader of base backups made by pg_basebackup, plain or tar: a folder of them, or one itself.
// backup_manifest is received last and renamed into place, so that its absence means "not
// finished". Checked here: that every file it names is there with its size (the first
// kManifestFilesChecked of an even sample in a larger cluster), and that no WAL segment is missing
// from a backup that carries its WAL. Checksums are not: that is the restore drill's work.
#pragma once

#include <map>
#include <string>

#include "probes/backup/folder.h"
#include "probes/backup/reader.h"

namespace pantryd::backup {

inline constexpr std::int64_t kManifestFilesChecked = 20'000;
inline constexpr std::int64_t kManifestBytesMax = std::int64_t{256} << 20;
/// Files that the size of an unfinished or a tar backup is summed over at most.
inline constexpr std::size_t kTreeEntriesMax = 20'000;

class BaseReader : public Reader {
 public:
  explicit BaseReader(ReaderOptions options) : options_(options) {}
  [[nodiscard]] BackupLook look(const std::string& path, Deadline deadline,
                                WallClock::time_point now) override;

 private:
  struct Visit;
  void visit_backup(Visit& visit, const std::string& name, int folder_fd,
                    const std::vector<Entry>& entries);
  void judge_unfinished(Visit& visit, BackupRecord& record, int folder_fd,
                        const std::vector<Entry>& entries);

  ReaderOptions options_;
  /// Of the unfinished ones at the last look: what grows is running.
  std::map<std::string, FileIdentity> unfinished_;
};

/// The row "base".
[[nodiscard]] BackupKind base_kind();

}  // namespace pantryd::backup
