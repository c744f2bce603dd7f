// Reader of a folder of pg_dump and pg_dumpall files. It remembers the last look: a file that
// changed between two looks is still being written, and one that did not is not opened again.
//
// The recovery point is the EARLIER of the file's modification time and what is known of the start
// of the dump: a sidecar, else the time in the archive (which has no zone and is read as local time
// of this host). The earlier, because an old dump that was touched or copied must not look fresh.
//
// Sidecar NAME.pantryd.json, for formats that hold no time or cannot be looked into:
//   {"start_epoch": 1795346585, "size_bytes": 123456}     both optional
// start_epoch: seconds, taken before pg_dump was started. size_bytes: of the finished file; when it
// equals the size on disk the file counts as complete, when it does not as partial.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "probes/backup/folder.h"
#include "probes/backup/reader.h"
#include "probes/backup/readers/pg_dump/dump_content.h"

namespace pantryd::backup {

class DumpReader : public Reader {
 public:
  explicit DumpReader(ReaderOptions options) : options_(options) {}
  [[nodiscard]] BackupLook look(const std::string& path, Deadline deadline,
                                WallClock::time_point now) override;

 private:
  struct Seen {
    FileIdentity identity;
    DumpContent content;
    std::unique_ptr<ReadThrough> walk;
    bool changed = false;  ///< between the last look and this one
    bool settled = false;  ///< the content needs no other look
  };
  struct Visit;
  [[nodiscard]] Seen recall(const std::string& name, const FileIdentity& identity);
  void visit_file(Visit& visit, const Entry& entry);
  void visit_folder(Visit& visit, const Entry& entry);
  void visit_directory(Visit& visit, const std::string& name, int folder_fd,
                       const std::vector<Entry>& files);
  void add_record(Visit& visit, const std::string& name, Seen seen);
  [[nodiscard]] BackupRecord make_record(const Visit& visit, const std::string& name,
                                         const Seen& seen) const;

  ReaderOptions options_;
  std::map<std::string, Seen> seen_;  ///< at most kBackupRecordsMax
};

/// The row "pg_dump".
[[nodiscard]] BackupKind pg_dump_kind();

}  // namespace pantryd::backup
