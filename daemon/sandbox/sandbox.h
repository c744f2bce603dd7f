// A private PostgreSQL in one folder: primary, streaming standby, WAL archive, base backup and
// dump, on loopback. The `sandbox` command and the integration tests are the same code.
//
// DIR/sandbox.json   what it is and its state; written first, so that a half-made folder is known
// DIR/pgpass         the passwords (0600); every conninfo that we print points here instead
// DIR/primary, DIR/standby   data folders; DIR/archive the WAL archive; DIR/log
// DIR/backups/base/YYYYMMDDTHHMMSS    pg_basebackup, plain format with its manifest
// DIR/backups/dumps/daily_backup_YYYY-MM-DD.sql and weekly_backup_YYYY-MM-DD.dump
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/stop.h"
#include "base/subprocess.h"
#include "pg/conninfo.h"

namespace pantryd {

struct SandboxOptions {
  std::filesystem::path dir;  ///< created; must be empty, absent, or a sandbox of ours
  std::uint16_t port = 0;     ///< of the primary; the standby's is port + 1. 0: pick a free pair
  std::filesystem::path bin_dir;  ///< folder of initdb and postgres; empty: the newest installed
  bool standby = true;
  bool backups = true;
  bool tied_to_us = false;  ///< the servers die with our process (tests); else they go on
  std::chrono::milliseconds deadline{120'000};
};

enum class SandboxState { absent, building, running, stopped };
[[nodiscard]] std::string_view to_string(SandboxState state);

struct SandboxStatus {
  SandboxState state = SandboxState::absent;
  std::uint16_t port = 0;
  std::optional<pid_t> primary_pid;
  std::optional<pid_t> standby_pid;
  std::string version;  ///< "15.18"
};

class Sandbox {
 public:
  /// The whole of it: initdb, configure, start, clone, back up. On any failure, and on a stop,
  /// nothing of it is left. Throws Error: no binaries, port in use, disk full, folder in use.
  [[nodiscard]] static Sandbox up(const SandboxOptions& options, const StopFlag* stop = nullptr);
  /// One that is running. Throws Error(failed) when there is none in `dir`.
  [[nodiscard]] static Sandbox open(const std::filesystem::path& dir);
  [[nodiscard]] static SandboxStatus status(const std::filesystem::path& dir);
  /// Stops the servers of `dir` and removes the folder. True if there was a sandbox. Refuses a
  /// folder that is not one.
  static bool down(const std::filesystem::path& dir);

  Sandbox(Sandbox&&) noexcept;
  Sandbox& operator=(Sandbox&&) = delete;
  ~Sandbox();  ///< takes it down when tied_to_us, else leaves it running

  [[nodiscard]] const std::filesystem::path& dir() const { return options_.dir; }
  [[nodiscard]] const std::filesystem::path& bin_dir() const { return options_.bin_dir; }
  [[nodiscard]] std::uint16_t port() const { return options_.port; }
  [[nodiscard]] pg::Conninfo primary() const;  ///< owner of the database zion_grocery_db
  [[nodiscard]] pg::Conninfo standby() const;
  [[nodiscard]] std::filesystem::path archive_dir() const { return options_.dir / "archive"; }
  [[nodiscard]] std::filesystem::path dump_dir() const { return options_.dir / "backups/dumps"; }
  [[nodiscard]] std::filesystem::path base_backup_dir() const {
    return options_.dir / "backups/base";
  }

  /// A new base backup and new dumps, each complete under its final name or absent.
  void back_up(const StopFlag* stop = nullptr);

  /// For fault tests. kill_primary: SIGKILL to the postmaster and all of its children.
  void kill_primary();
  void stop_primary();
  void start_primary();
  void stop_standby();
  void start_standby();

 private:
  friend class SandboxBuilder;
  explicit Sandbox(SandboxOptions options);
  SandboxOptions options_;
};

/// The newest folder with initdb and postgres: Debian's /usr/lib/postgresql/*/bin, then PATH.
/// Throws Error(failed) that says which package to install.
[[nodiscard]] std::filesystem::path find_postgres_binaries();

/// Two neighbouring TCP ports that are free on loopback now, from the dynamic range.
[[nodiscard]] std::uint16_t find_free_port_pair();

/// The user that servers run as: nullopt unless we are root, then the system user `postgres`.
[[nodiscard]] std::optional<UserId> server_user();

}  // namespace pantryd
