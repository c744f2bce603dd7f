// backup_manifest of pg_basebackup: read as a stream, so that a cluster of a million files costs
// no memory. Source: PostgreSQL manual, "Backup Manifest Format".
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "pg/lsn.h"
#include "probes/backup/backup_catalog.h"

namespace pantryd::backup {

struct ManifestFile {
  std::string path;  ///< empty when it is not UTF-8 (Encoded-Path)
  std::int64_t size_bytes = 0;
  std::string last_modified;  ///< "2026-11-22 11:38:31 GMT"
};

struct WalRange {
  std::uint32_t timeline = 0;
  pg::Lsn start;
  pg::Lsn end;
};

struct Manifest {
  std::int64_t version = 0;
  std::optional<std::uint64_t> system_identifier;  ///< version 2, PostgreSQL 17 and later
  std::vector<WalRange> wal_ranges;                ///< at most 1000
  std::int64_t files = 0;
  std::int64_t size_bytes = 0;  ///< sum over the files
  bool closed = false;          ///< the checksum line is there: nothing is cut off
};

/// Calls `each` for every file; false from it ends the parse. False when the text is no manifest
/// (cut, damaged) or when `each` ended it.
[[nodiscard]] bool parse_manifest(std::istream& text, Manifest& manifest,
                                  const std::function<bool(const ManifestFile&)>& each);

/// "2026-11-22 11:38:31 GMT" or "... UTC"; nullopt for any other zone: it would be a guess.
[[nodiscard]] std::optional<WallClock::time_point> parse_gmt(const std::string& text);

}  // namespace pantryd::backup
