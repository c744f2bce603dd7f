// Migration files: NNN_name.sql with a section "-- migrate:up" and perhaps "-- migrate:down".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pantryd::migrate {

struct Migration {
  std::int64_t version = 0;  ///< the leading digits of the file's name
  std::string name;          ///< the file's name without ".sql", e.g. "001_create_users_table"
  std::string up;
  std::string down;      ///< empty: it cannot be undone
  std::string checksum;  ///< "sha256-v1:" and the hash of the normalised text
};

/// Line ends to LF, a byte order mark and trailing blanks dropped: what an editor or a checkout
/// may change without changing the migration.
[[nodiscard]] std::string normalise(std::string_view text);

/// One file. Throws Error(usage) that names it: a bad name, no up section, an empty one.
[[nodiscard]] Migration parse_file(const std::string& file_name, std::string_view text);

/// The migrations compiled into this binary, by version.
[[nodiscard]] std::vector<Migration> embedded_migrations();

/// Those of a folder, by version. Throws Error(usage): unreadable, two files with one version.
[[nodiscard]] std::vector<Migration> load_folder(const std::filesystem::path& folder);

}  // namespace pantryd::migrate
