// Invariants: sandbox.json says "building" from before the first file until everything runs; the
// folder is changed only under the lock beside it; only a folder with our sandbox.json, or an empty
// one, is removed.
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/assert.h"
#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "pg/connection.h"
#include "sandbox/internal/builder.h"
#include "sandbox/internal/server.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kFreeBytesMin = 700ULL << 20U;
constexpr auto kBackUpLimit = std::chrono::minutes(30);
constexpr auto kRestartLimit = std::chrono::seconds(60);

/// Held while somebody makes, changes or removes a sandbox; the kernel frees it when they die.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& dir) {
    path_ = dir;
    path_ += ".lock";
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat about {};
    // A file that its last holder has just unlinked protects nobody: it counts as busy.
    if (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd_, &about) == 0 &&
        about.st_nlink > 0) {
      return;
    }
    const bool busy = fd_ >= 0;
    if (fd_ >= 0) ::close(fd_);
    throw Error(busy ? ExitCode::lock : ExitCode::failed,
                busy ? fmt::format("another pantryd works on the sandbox {}", dir.string())
                     : fmt::format("cannot write beside {}", dir.string()),
                busy ? "Wait until it is done." : "Check that you may write to its parent folder.");
  }
  ~FolderLock() {
    ::unlink(path_.c_str());
    ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  fs::path path_;
  int fd_ = -1;
};

SandboxOptions completed(SandboxOptions options) {
  options.dir = fs::absolute(options.dir).lexically_normal();
  if (!options.dir.has_filename()) options.dir = options.dir.parent_path();
  if (options.bin_dir.empty()) options.bin_dir = find_postgres_binaries();
  for (const char* program : {"initdb", "postgres"}) {
    if (::access((options.bin_dir / program).c_str(), X_OK) != 0) {
      throw Error(ExitCode::failed,
                  fmt::format("there is no {} in {}", program, options.bin_dir.string()),
                  "Name the folder of PostgreSQL's server programs with --postgres.");
    }
  }
  for (const char* program : {"pg_basebackup", "pg_dump"}) {
    const bool wanted = options.standby || options.backups;
    if (wanted && ::access((options.bin_dir / program).c_str(), X_OK) != 0) {
      throw Error(ExitCode::failed,
                  fmt::format("there is no {} in {}", program, options.bin_dir.string()),
                  "Install PostgreSQL's client programs, or use --no-standby --no-backups.");
    }
  }
  return options;
}

void choose_ports(SandboxOptions& options) {
  if (options.port == 0) {
    options.port = find_free_port_pair();
    return;
  }
  for (const int port : {int{options.port}, options.port + 1}) {
    if (port == options.port + 1 && !options.standby) continue;
    if (port > 65'535 || !port_is_free(static_cast<std::uint16_t>(port))) {
      throw Error(ExitCode::failed, fmt::format("port {} on 127.0.0.1 is in use", port),
                  "Name another with --port, or leave it out to have a free pair picked.");
    }
  }
}

void require_space(const fs::path& dir) {
  const auto free = free_bytes(dir);
  if (!free || *free >= kFreeBytesMin) return;
  throw Error(ExitCode::failed,
              fmt::format("only {} are free for {}, and a sandbox needs {}",
                          format_bytes(static_cast<std::int64_t>(*free)), dir.string(),
                          format_bytes(static_cast<std::int64_t>(kFreeBytesMin))),
              "Free some disk space, or name a folder on another disk with --dir.");
}

bool is_ours_to_remove(const fs::path& dir) {
  std::error_code ignored;
  return read_record(dir).has_value() || !fs::exists(dir, ignored) || fs::is_empty(dir, ignored);
}

void remove_servers_and_folder(const fs::path& dir) {
  PANTRYD_ASSERT(is_ours_to_remove(dir));
  for (const char* server : {"standby", "primary"}) stop_server(dir / server, false);
  std::error_code error;
  fs::remove_all(dir, error);
  if (error) {
    throw Error(ExitCode::failed,
                fmt::format("cannot remove {}: {}", dir.string(), error.message()),
                "Run the command as the user who made the sandbox.");
  }
}

std::string now_text(const char* format) {
  return fmt::format(
      fmt::runtime(std::string("{:") + format + "}"),
      fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

}  // namespace

std::string_view to_string(SandboxState state) {
  switch (state) {
    case SandboxState::absent:
      return "absent";
    case SandboxState::building:
      return "building";
    case SandboxState::running:
      return "running";
    case SandboxState::stopped:
      return "stopped";
  }
  return "unknown";
}

Sandbox::Sandbox(SandboxOptions options) : options_(std::move(options)) {}

Sandbox::Sandbox(Sandbox&& other) noexcept : options_(std::move(other.options_)) {
  other.options_.tied_to_us = false;
}

Sandbox::~Sandbox() {
  if (!options_.tied_to_us) return;
  try {
    down(options_.dir);
  } catch (const std::exception&) {
    // The servers end with us in any case.
  }
}

Sandbox Sandbox::up(const SandboxOptions& wanted, const StopFlag* stop) {
  auto options = completed(wanted);
  std::error_code ignored;
  fs::create_directories(options.dir.parent_path(), ignored);
  const FolderLock lock(options.dir);
  const auto before = status(options.dir);
  if (before.state == SandboxState::running) {
    throw Error(
        ExitCode::failed,
        fmt::format("a sandbox already runs in {} on port {}", options.dir.string(), before.port),
        fmt::format("Use it, or remove it: pantryd sandbox down --dir {}", options.dir.string()));
  }
  if (before.state == SandboxState::absent && fs::exists(options.dir) &&
      !fs::is_empty(options.dir, ignored)) {
    throw Error(ExitCode::failed,
                fmt::format("{} exists and is not a sandbox", options.dir.string()),
                "Name a folder with --dir that does not exist yet.");
  }
  // What an interrupted run left behind, or servers that a reboot ended, start afresh.
  if (before.state != SandboxState::absent) remove_servers_and_folder(options.dir);
  choose_ports(options);
  require_space(options.dir);

  const auto deadline = Deadline::in(options.deadline);
  SandboxBuilder builder(options, deadline, stop);
  try {
    fs::create_directories(options.dir);
    SandboxRecord record{"building", options.port, options.bin_dir, options.standby};
    write_record(options.dir, record);
    builder.make_folders();
    builder.initialise_primary();
    builder.start_primary();
    builder.create_database();
    if (options.standby) {
      builder.clone_standby();
      builder.start_standby();
    }
    Sandbox sandbox(options);
    sandbox.options_.tied_to_us = false;  // a failure below is cleaned up here, not there
    if (options.backups) sandbox.back_up(stop);
    record.state = "running";
    write_record(options.dir, record);
  } catch (const fs::filesystem_error& error) {
    remove_servers_and_folder(options.dir);
    throw Error(ExitCode::failed,
                fmt::format("cannot make {}: {}", options.dir.string(), error.code().message()),
                "Check the path, its permissions and the free space.");
  } catch (...) {
    remove_servers_and_folder(options.dir);
    throw;
  }
  return Sandbox(options);
}

Sandbox Sandbox::open(const fs::path& dir) {
  const auto now = status(dir);
  const auto record = read_record(dir);
  if (now.state != SandboxState::running || !record) {
    throw Error(ExitCode::failed, fmt::format("no sandbox runs in {}", dir.string()),
                "Make one: pantryd sandbox up --dir DIR");
  }
  SandboxOptions options;
  options.dir = fs::absolute(dir).lexically_normal();
  options.port = record->port;
  options.bin_dir = record->bin_dir;
  options.standby = record->standby;
  return Sandbox(options);
}

SandboxStatus Sandbox::status(const fs::path& dir) {
  SandboxStatus out;
  const auto record = read_record(dir);
  if (!record) return out;
  out.port = record->port;
  out.primary_pid = postmaster_of(dir / "primary");
  out.standby_pid = postmaster_of(dir / "standby");
  if (const auto version = try_read_file(dir / "primary/PG_VERSION")) {
    out.version = one_line(*version);
  }
  if (record->state == "building") {
    out.state = SandboxState::building;
  } else {
    out.state = out.primary_pid || out.standby_pid ? SandboxState::running : SandboxState::stopped;
  }
  return out;
}

bool Sandbox::down(const fs::path& wanted) {
  auto dir = fs::absolute(wanted).lexically_normal();
  if (!dir.has_filename()) dir = dir.parent_path();
  std::error_code ignored;
  if (!fs::exists(dir, ignored)) return false;
  const FolderLock lock(dir);
  if (!read_record(dir)) {
    throw Error(ExitCode::usage, fmt::format("{} is not a sandbox", dir.string()),
                "Name the folder that was given to pantryd sandbox up.");
  }
  remove_servers_and_folder(dir);
  return true;
}

pg::Conninfo Sandbox::primary() const {
  return SandboxBuilder::conninfo(options_.dir, options_.port, kSandboxDatabase);
}

pg::Conninfo Sandbox::standby() const {
  return SandboxBuilder::conninfo(options_.dir, static_cast<std::uint16_t>(options_.port + 1),
                                  kSandboxDatabase);
}

void Sandbox::back_up(const StopFlag* stop) {
  const auto deadline = Deadline::in(kBackUpLimit);
  const auto move_into_place = [&](const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::remove_all(to, error);
    fs::rename(from, to);
  };
  // Under a name that no reader takes for a backup until it is whole.
  const auto base = base_backup_dir() / now_text("%Y%m%dT%H%M%S");
  const auto base_partial = base.string() + ".partial";
  const auto source = SandboxBuilder::conninfo(options_.dir, options_.port, "");
  run_tool({(options_.bin_dir / "pg_basebackup").string(), "-d", source.reveal(), "-D",
            base_partial, "-X", "stream", "-c", "fast"},
           "pg_basebackup", deadline, stop);
  move_into_place(base_partial, base);

  struct Dump {
    const char* format;
    std::string name;
  };
  const auto today = now_text("%Y-%m-%d");
  for (const auto& [format, name] : {Dump{"plain", "daily_backup_" + today + ".sql"},
                                     Dump{"custom", "weekly_backup_" + today + ".dump"}}) {
    const auto partial = (dump_dir() / (name + ".partial")).string();
    run_tool({(options_.bin_dir / "pg_dump").string(), "-d", primary().reveal(),
              fmt::format("--format={}", format), "--file", partial},
             "pg_dump", deadline, stop);
    move_into_place(partial, dump_dir() / name);
  }
}

void Sandbox::kill_primary() {
  kill_server(options_.dir / "primary");
}
void Sandbox::stop_primary() {
  stop_server(options_.dir / "primary", true);
}
void Sandbox::stop_standby() {
  stop_server(options_.dir / "standby", true);
}

void Sandbox::start_primary() {
  SandboxBuilder(options_, Deadline::in(kRestartLimit), nullptr).start_primary();
}

void Sandbox::start_standby() {
  SandboxBuilder(options_, Deadline::in(kRestartLimit), nullptr).start_standby();
}

}  // namespace pantryd
