// The configuration file, typed. Every key has a default that suits production; config/pantryd.yaml
// lists them all with what they mean.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pg/conninfo.h"
#include "settings/placed_name.h"
#include "settings/pool_keys.h"

namespace pantryd {

/// One folder of backups that belongs to a target.
struct BackupSettings {
  std::string name;
  PlacedName kind;  ///< a row of the table of backup kinds, see probes/backup/reader.h
  std::filesystem::path path;
  std::chrono::milliseconds age_limit{26 * 3'600'000LL};  ///< a day, and two hours for the job

  friend bool operator==(const BackupSettings&, const BackupSettings&) = default;
};

/// Shell patterns of databases: those that fit one of include and none of exclude.
struct DatabaseSettings {
  std::vector<std::string> include{"*"};
  std::vector<std::string> exclude;

  friend bool operator==(const DatabaseSettings&, const DatabaseSettings&) = default;
};

/// A PgBouncer in front of a target.
struct PgBouncerSettings {
  pg::Conninfo dsn;
  std::filesystem::path password_file;  ///< as of a target

  friend bool operator==(const PgBouncerSettings&, const PgBouncerSettings&) = default;

  [[nodiscard]] pg::Conninfo login() const;
};

/// Folders on the disks of a server, where pantryd can see them; empty: not told.
struct DiskSettings {
  std::filesystem::path data;
  std::filesystem::path wal;

  friend bool operator==(const DiskSettings&, const DiskSettings&) = default;
};

struct TargetSettings {
  std::string name;
  pg::Conninfo dsn;
  std::filesystem::path password_file;  ///< read anew at each connect; empty: none
  std::vector<BackupSettings> backups;
  DatabaseSettings databases;  ///< that probes of scope database visit
  std::optional<PgBouncerSettings> pgbouncer;
  DiskSettings disks;
  PoolKeys pool;  ///< in force for this target: its own keys on top of those for all

  friend bool operator==(const TargetSettings&, const TargetSettings&) = default;

  /// dsn, with the password of password_file as it stands now.
  [[nodiscard]] pg::Conninfo login() const;
};

struct HttpSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9788;

  friend bool operator==(const HttpSettings&, const HttpSettings&) = default;
};

/// Guards that hold for every probe (facts: a probe must do no harm).
struct ProbeSettings {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds lock_timeout{100};
  std::int32_t statements_max = 100;  ///< statements told one by one; the rest are one series
  bool statement_texts = false;       ///< tell the texts of those, without their constants
  std::int32_t relations_max = 1000;  ///< tables, and indexes, told one by one, of each target
  double busy_share = 0.02;           ///< of its time that a probe may be at work
  std::string cost_max = "high";      ///< probes of a higher class do not run by themselves
  std::filesystem::path folder;       ///< of the operator's own probes; empty: none
  std::vector<PlacedName> enable;     ///< probes that do not run by themselves
  std::vector<PlacedName> disable;

  friend bool operator==(const ProbeSettings&, const ProbeSettings&) = default;
};

struct Settings {
  HttpSettings http;
  ProbeSettings probes;
  PoolKeys pool;                        ///< for targets that say nothing else
  std::vector<TargetSettings> targets;  ///< names are unique
  std::vector<std::string> warnings;    ///< FILE:LINE:COLUMN: what is valid, and not what it seems

  /// Throw Error(usage) with FILE:LINE:COLUMN.
  [[nodiscard]] static Settings load(const std::filesystem::path& file);
  [[nodiscard]] static Settings parse(const std::string& text, const std::string& source_name);
  /// What --dsn alone means: one target called main.
  [[nodiscard]] static Settings for_single_target(pg::Conninfo dsn);

  /// All settings in force as YAML. parse() reads it back to equal settings, except that each
  /// password is "***".
  [[nodiscard]] std::string show() const;

  /// Apart from the warnings.
  friend bool operator==(const Settings& a, const Settings& b) {
    return a.http == b.http && a.probes == b.probes && a.pool == b.pool && a.targets == b.targets;
  }
};

}  // namespace pantryd
