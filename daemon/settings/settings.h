// The configuration file, typed. The fields of a section are the rows of keys/SECTION.def, which
// also say what each key means, its bounds and its default; settings/keys.h has their grammar.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pg/conninfo.h"
#include "settings/listen.h"
#include "settings/placed_name.h"
#include "settings/pool_keys.h"

namespace pantryd {

#define KEY(type, field, otherwise, rules) type field = otherwise;

struct HttpSettings {
#include "settings/keys/http.def"

  friend bool operator==(const HttpSettings&, const HttpSettings&) = default;
};

/// Guards that apply to every probe, and the choice of probes.
struct ProbeSettings {
#include "settings/keys/probes.def"

  friend bool operator==(const ProbeSettings&, const ProbeSettings&) = default;
};

/// Backups of a target.
struct BackupSettings {
#include "settings/keys/backup.def"

  friend bool operator==(const BackupSettings&, const BackupSettings&) = default;
};

struct DatabaseSettings {
#include "settings/keys/databases.def"

  friend bool operator==(const DatabaseSettings&, const DatabaseSettings&) = default;
};

/// A PgBouncer in front of a target.
struct PgBouncerSettings {
#include "settings/keys/pgbouncer.def"

  /// dsn, with the password that password_file holds now.
  [[nodiscard]] pg::Conninfo login() const;
  friend bool operator==(const PgBouncerSettings&, const PgBouncerSettings&) = default;
};

struct DiskSettings {
#include "settings/keys/disks.def"

  friend bool operator==(const DiskSettings&, const DiskSettings&) = default;
};

struct TargetSettings {
#include "settings/keys/target.def"

  /// dsn, with the password that password_file holds now.
  [[nodiscard]] pg::Conninfo login() const;
  friend bool operator==(const TargetSettings&, const TargetSettings&) = default;
};

struct Settings {
#include "settings/keys/top.def"

  /// FILE:LINE:COLUMN and a sentence: settings that are valid but probably not intended.
  std::vector<std::string> warnings;

  /// Throw Error(usage) with FILE:LINE:COLUMN.
  [[nodiscard]] static Settings load(const std::filesystem::path& file);
  [[nodiscard]] static Settings parse(const std::string& text, const std::string& source_name);
  /// What --dsn alone means: one target called main.
  [[nodiscard]] static Settings for_single_target(pg::Conninfo dsn);

  /// All settings in force as YAML. parse() reads it back to equal settings, except that each
  /// password is "***".
  [[nodiscard]] std::string show() const;

  /// Apart from the warnings.
  friend bool operator==(const Settings& a, const Settings& b);
};

#undef KEY

}  // namespace pantryd
