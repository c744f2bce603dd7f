// The kinds of backups: each has a name and a reader. To add a kind, write its reader in a folder
// of its own under readers/ and add one row to the table in readers/list.cpp. Settings, metrics,
// messages and documents take the name from that row; nothing else decides by kind.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "probes/backup/backup_catalog.h"

namespace pantryd {
namespace backup {

struct ReaderOptions {
  /// An unfinished file that was written to less than this ago is running, not partial.
  std::chrono::milliseconds settle_ms{5000};
  /// Most bytes that one look reads of files which must be read through (gzip, piped archives);
  /// the next look continues there.
  std::int64_t read_budget_bytes = std::int64_t{256} << 20;
};

/// Looks at one place again and again. It remembers the last look, so that it can distinguish a
/// file that is still growing from a broken one. Used by one thread at a time.
class Reader {
 public:
  Reader() = default;
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Never throws because of what is on disk: the look reports it.
  [[nodiscard]] virtual BackupLook look(const std::string& path, Deadline deadline,
                                        WallClock::time_point now) = 0;
};

}  // namespace backup

/// A row of the table of kinds.
struct BackupKind {
  std::string_view name;     ///< in the configuration, in labels and in messages
  std::string_view summary;  ///< what `path` is: "a folder of dumps"
  std::unique_ptr<backup::Reader> (*make_reader)(const backup::ReaderOptions& options) = nullptr;
};

/// All kinds; their names differ.
[[nodiscard]] std::span<const BackupKind> backup_kinds();
/// Null for a name that is not in the table.
[[nodiscard]] const BackupKind* find_backup_kind(std::string_view name);
[[nodiscard]] std::set<std::string> backup_kind_names();

}  // namespace pantryd
