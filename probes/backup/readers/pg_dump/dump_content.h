// What one dump file is and whether it is whole, from its head and its tail where that is enough
// (plain text, finished custom archives, tar) and by reading it through where it is not (gzip, and
// custom archives that were written through a pipe). Times and neighbours are judged elsewhere.
#pragma once

#include <zlib.h>

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "probes/backup/backup_catalog.h"
#include "probes/backup/readers/pg_dump/archive_toc.h"

namespace pantryd::backup {

struct DumpContent {
  std::string format;
  BackupState state = BackupState::unknown;
  std::string reason;
  bool backup = true;   ///< false: a note, a log or a checksum that lies beside the dumps
  bool settled = true;  ///< false: the next look reads on
  std::optional<std::tm> created;  ///< local time of the host that dumped

  static DumpContent bad(std::string format, BackupState state, std::string reason);
};

/// What one look may read, over all files.
struct ReadBudget {
  std::int64_t bytes = 0;
  Deadline deadline;
  [[nodiscard]] bool spent() const { return bytes <= 0 || deadline.expired(); }
};

inline constexpr std::size_t kHeadBytes = 4096;
inline constexpr std::size_t kTailBytes = 1024;

/// A plain dump by its head and its last KiB. pg_dumpall holds a trailer for every database, so
/// that its own needs the word "cluster".
[[nodiscard]] DumpContent judge_plain(std::string_view head, std::string_view tail,
                                      std::string_view name);

/// Takes the bytes of a dump in order and judges them at the end.
class DumpStream {
 public:
  void feed(std::string_view bytes);
  [[nodiscard]] DumpContent finish(std::string_view name);
  [[nodiscard]] bool empty() const { return total_bytes_ == 0; }

 private:
  void feed_archive(std::string_view bytes);
  void parse_collected();
  std::string head_;
  std::string tail_;
  std::uint64_t total_bytes_ = 0;
  std::string toc_bytes_;  ///< until the table of contents is whole
  std::size_t parse_at_bytes_ = 0;
  TocParse parse_ = TocParse::need_more;
  ArchiveToc toc_;
  std::optional<BlockWalk> blocks_;
};

/// Reads a file from its front, as far as the budget goes, and goes on at the next step.
class ReadThrough {
 public:
  explicit ReadThrough(bool gzip);
  ~ReadThrough();
  ReadThrough(const ReadThrough&) = delete;
  ReadThrough& operator=(const ReadThrough&) = delete;

  /// nullopt: there is more to read. Else the verdict; it does not change any more.
  [[nodiscard]] std::optional<DumpContent> step(int fd, std::string_view name, ReadBudget& budget);
  [[nodiscard]] std::int64_t offset_bytes() const { return offset_bytes_; }
  /// After a verdict: the gzip stream itself was whole, whatever is in it.
  [[nodiscard]] bool whole_stream() const { return member_seen_ && !member_open_ && !damaged_; }

 private:
  [[nodiscard]] bool inflate_piece(std::string_view piece);
  [[nodiscard]] DumpContent finish(std::string_view name);

  const bool gzip_;
  z_stream inflater_{};
  std::string out_;
  bool member_open_ = false;  ///< inside a gzip member: the end of the file would cut it
  bool member_seen_ = false;
  bool damaged_ = false;
  std::int64_t offset_bytes_ = 0;
  DumpStream stream_;
};

/// `walk` keeps what was read through so far; give the same one at the next look.
[[nodiscard]] DumpContent judge_file(int fd, std::int64_t size_bytes, std::string_view name,
                                     std::unique_ptr<ReadThrough>& walk, ReadBudget& budget);

}  // namespace pantryd::backup
