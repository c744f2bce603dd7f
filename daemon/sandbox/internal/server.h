// Private to sandbox/: one server process, and what the folder remembers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "base/subprocess.h"
#include "pg/conninfo.h"

namespace pantryd {

inline constexpr const char* kSandboxDatabase = "zion_grocery_db";
inline constexpr const char* kSandboxUser = "postgres";
inline constexpr const char* kStandbySlot = "standby";

[[nodiscard]] bool port_is_free(std::uint16_t port);

/// What DIR/sandbox.json holds.
struct SandboxRecord {
  std::string state;  ///< "building" or "running"
  std::uint16_t port = 0;
  std::filesystem::path bin_dir;
  bool standby = true;
};
[[nodiscard]] std::optional<SandboxRecord> read_record(const std::filesystem::path& dir);
void write_record(const std::filesystem::path& dir, const SandboxRecord& record);

/// One postgres process and its data folder.
struct ServerPlace {
  std::filesystem::path data_dir;
  std::filesystem::path log_file;
  std::filesystem::path bin_dir;
  std::uint16_t port = 0;
};

/// The postmaster of this data folder: its pid file names it and its working folder proves it.
[[nodiscard]] std::optional<pid_t> postmaster_of(const std::filesystem::path& data_dir);

/// Starts the server and waits until it answers on its port. Throws Error with the log's end.
void start_server(const ServerPlace& place, const pg::Conninfo& probe, bool tied_to_us,
                  Deadline deadline, const StopFlag* stop);

/// `fast`: as pg_ctl stop -m fast; else immediate. Escalates to SIGKILL; returns when it is gone.
void stop_server(const std::filesystem::path& data_dir, bool fast);

/// SIGKILL to the postmaster and to every process below it, at once.
void kill_server(const std::filesystem::path& data_dir);

/// Runs one of PostgreSQL's programs as the server's user. Throws Error(failed) with its output.
void run_tool(const std::vector<std::string>& argv, const std::string& what, Deadline deadline,
              const StopFlag* stop);

}  // namespace pantryd
