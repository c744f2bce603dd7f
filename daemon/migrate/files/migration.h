// Migration files: NNN_name.sql runs once, R_name.sql again whenever it changes. Each has a section
// "-- migrate:up" and perhaps "-- migrate:down", and header options above a section's statements.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "migrate/files/header.h"

namespace pantryd::migrate {

/// More files than this are not a folder of migrations.
inline constexpr std::size_t kMigrationFilesMax = 100'000;

enum class Kind { versioned, repeatable };
[[nodiscard]] std::string_view to_string(Kind kind);

/// Options that stand above both sections hold for both, those under a mark for its section.
struct SectionOptions {
  bool transaction = true;                                ///< false: "-- migrate:no-transaction"
  std::optional<std::chrono::milliseconds> lock_timeout;  ///< "-- migrate:lock-timeout 2s"
  std::optional<std::chrono::milliseconds>
      statement_timeout;  ///< "-- migrate:statement-timeout 1h"
};

struct Migration {
  std::int64_t version = 0;  ///< the leading digits of the file's name; 0 for a repeatable one
  std::string name;          ///< the file's name without ".sql", e.g. "001_create_users_table"
  /// Sections keep the lines of the file: line N of `up` is line N of the file.
  std::string up;
  std::string down;      ///< empty: it cannot be undone
  std::string checksum;  ///< "sha256-v1:" and the hash of the normalised text
  Kind kind = Kind::versioned;
  SectionOptions up_options;
  SectionOptions down_options;
  std::vector<Allowance> allowances;

  /// What history knows it by: its number, or its name when it has none.
  [[nodiscard]] std::string id() const;
};

/// Line ends to LF, a byte order mark and trailing blanks dropped: what an editor or a checkout
/// may change without changing the migration. For checksums; what runs keeps its blanks.
[[nodiscard]] std::string normalise(std::string_view text);

/// One file. Throws Error(usage) that names file and line: a bad name, a number beyond 63 bits, not
/// UTF-8, no up section, an empty one, an unknown option, SQL above the first section.
[[nodiscard]] Migration parse_file(const std::string& file_name, std::string_view text);

/// The migrations compiled into this binary: by version, then the repeatable ones by name.
[[nodiscard]] std::vector<Migration> embedded_migrations();

/// Those of a folder, in the same order; each file is read once. Throws Error(usage): unreadable,
/// none there, something that is not a regular file under a migration's name, two with one version.
[[nodiscard]] std::vector<Migration> load_folder(const std::filesystem::path& folder);

}  // namespace pantryd::migrate
