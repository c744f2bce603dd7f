// Reader of the header and the table of contents that pg_dump writes in its custom format, in the
// toc.dat of its directory format and at the front of its tar format.
// Source: src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pantryd::backup {

/// Archive versions that are read: 1.12 and 1.13 (before PostgreSQL 12), 1.14 (12 to 15),
/// 1.15 (16), 1.16 (17 and 18).
inline constexpr int kArchiveMinorMin = 12;
inline constexpr int kArchiveMinorMax = 16;
/// A table of contents larger than this is not read.
inline constexpr std::size_t kTocBytesMax = 64U << 20U;

struct TocEntry {
  std::int64_t dump_id = 0;
  bool copy = false;         ///< its data ends with the line "\."
  int offset_flag = 0;       ///< custom: 1 position not set, 2 set, 3 no data
  std::uint64_t offset = 0;  ///< custom: where its block begins
  std::string file;          ///< directory and tar: its file, without the suffix of a compression
};

struct ArchiveToc {
  int version_minor = 0;
  int int_size = 4;
  int format = 0;     ///< 1 custom, 3 tar and directory
  std::tm created{};  ///< local time of the host that dumped, without a zone
  std::string database;
  std::string server_version;
  std::vector<TocEntry> data;  ///< only the entries that have data
  std::size_t size_bytes = 0;  ///< where the first block begins
};

enum class TocParse { ok, need_more, not_an_archive, unsupported, damaged };

/// `bytes` begins at "PGDMP". need_more: it ends before the table of contents does.
[[nodiscard]] TocParse parse_toc(std::string_view bytes, ArchiveToc& toc);

/// Walks the data blocks of a custom archive that is fed in pieces, and so tells one that was
/// written through a pipe (whole) from one whose pg_dump was killed: both have no offsets.
class BlockWalk {
 public:
  explicit BlockWalk(const ArchiveToc& toc);
  void feed(std::string_view bytes);
  [[nodiscard]] bool damaged() const { return phase_ == Phase::damaged; }
  /// Between two blocks: a file may end here.
  [[nodiscard]] bool at_boundary() const { return phase_ == Phase::type; }
  /// Every entry has had its block, and the last block is closed.
  [[nodiscard]] bool whole() const { return phase_ == Phase::type && missing_ == 0; }
  [[nodiscard]] std::size_t missing() const { return missing_; }

 private:
  enum class Phase { type, id, large_object, length, skip, damaged };
  void take(std::int64_t value);

  std::unordered_map<std::int64_t, bool> seen_;  ///< dump id of an entry with data: had its block
  std::size_t missing_ = 0;
  std::size_t int_bytes_;  ///< a sign byte and the digits
  Phase phase_ = Phase::type;
  bool large_objects_ = false;
  std::uint64_t skip_bytes_ = 0;
  std::string pending_;  ///< of an int that is split between two pieces
};

}  // namespace pantryd::backup
