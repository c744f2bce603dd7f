// Invariant: a signal goes only to a process whose working folder is the data folder, which is
// where every postmaster lives; a recycled pid is never hit.
#include "sandbox/internal/server.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/assert.h"
#include "base/error.h"
#include "base/file.h"
#include "pg/connection.h"
#include "sandbox/sandbox.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kPollInterval = milliseconds(50);

/// Children that we started and that have ended stay zombies until they are waited for, and to a
/// server that starts a zombie in postmaster.pid is a server that runs.
void reap(pid_t pid) {
  ::waitpid(pid, nullptr, WNOHANG);
}

/// To one process: 0 and negative numbers would reach whole groups, and 1 is init.
void send_signal(pid_t pid, int number) {
  PANTRYD_ASSERT(pid > 1);
  ::kill(pid, number);
}

bool gone_within(pid_t pid, seconds limit) {
  const auto deadline = Deadline::in(limit);
  while (!deadline.expired()) {
    if (!process_alive(pid)) {
      reap(pid);
      return true;
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  std::ifstream list(fmt::format("/proc/{0}/task/{0}/children", parent));
  for (pid_t child = 0; list >> child && children.size() < 10'000;) children.push_back(child);
  return children;
}

/// Why a server ended: the last line of its log that complains, else the last of all.
std::string last_complaint(const fs::path& log_file) {
  const auto log = try_read_file(log_file, 64U << 20U);
  if (!log) return "it wrote no log";
  std::string last;
  std::string complaint;
  for (std::size_t at = 0; at < log->size();) {
    const auto end = std::min(log->find('\n', at), log->size());
    const auto line = log->substr(at, end - at);
    at = end + 1;
    if (!line.empty()) last = line;
    for (const char* word : {"FATAL:", "PANIC:", "ERROR:"}) {
      if (const auto found = line.find(word); found != std::string::npos) {
        complaint = line.substr(found);
      }
    }
  }
  return complaint.empty() ? last : complaint;
}

}  // namespace

std::optional<SandboxRecord> read_record(const fs::path& dir) {
  const auto text = try_read_file(dir / "sandbox.json");
  if (!text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("format", "") != "pantryd.sandbox") return std::nullopt;
  SandboxRecord record;
  record.state = json.value("state", "building");
  record.port = json.value("port", std::uint16_t{0});
  record.bin_dir = json.value("bin_dir", "");
  record.standby = json.value("standby", true);
  return record;
}

void write_record(const fs::path& dir, const SandboxRecord& record) {
  const nlohmann::json json{{"format", "pantryd.sandbox"},
                            {"version", 1},
                            {"state", record.state},
                            {"port", record.port},
                            {"bin_dir", record.bin_dir.string()},
                            {"standby", record.standby}};
  write_file_atomically(dir / "sandbox.json", json.dump(2) + "\n");
}

std::optional<pid_t> postmaster_of(const fs::path& data_dir) {
  const auto text = try_read_file(data_dir / "postmaster.pid");
  if (!text) return std::nullopt;
  pid_t pid = 0;
  std::from_chars(text->data(), text->data() + text->size(), pid);
  if (!process_alive(pid)) return std::nullopt;
  std::error_code error;
  const auto cwd = fs::read_symlink(fmt::format("/proc/{}/cwd", pid), error);
  if (error || cwd != fs::canonical(data_dir, error)) return std::nullopt;
  return pid;
}

void start_server(const ServerPlace& place, const pg::Conninfo& probe, bool tied_to_us,
                  Deadline deadline, const StopFlag* stop) {
  ChildSpec spec;
  spec.argv = {(place.bin_dir / "postgres").string(), "-D", place.data_dir.string()};
  spec.env = {"LC_ALL=C.UTF-8", "PGTZ=UTC"};
  spec.cwd = place.data_dir;
  spec.output = place.log_file;
  spec.run_as = server_user();
  spec.detached = true;  // its owner is the folder: stop_server finds it there
  spec.parent_death_signal = tied_to_us ? SIGQUIT : 0;
  Child child(spec);
  for (;;) {
    if (child.wait(Deadline::in({}))) {
      const auto why = last_complaint(place.log_file);
      const bool disk = why.find("No space left") != std::string::npos;
      throw Error(
          ExitCode::failed,
          fmt::format("the server in {} ended at its start: {}", place.data_dir.string(), why),
          disk ? "Free some disk space and run the command again."
               : "The server's log says no more; try another folder or --postgres.");
    }
    try {
      (void)pg::Connection::connect(probe, deadline.within(seconds(5)), {.stop = stop});
      return;
    } catch (const pg::PgError& error) {
      const bool not_yet =
          error.failure() == pg::Failure::unreachable || error.failure() == pg::Failure::starting;
      if (!not_yet || deadline.expired()) {
        stop_server(place.data_dir, false);
        throw;
      }
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

void stop_server(const fs::path& data_dir, bool fast) {
  const auto pid = postmaster_of(data_dir);
  if (!pid) return;
  if (fast) {
    send_signal(*pid, SIGINT);
    if (gone_within(*pid, seconds(20))) return;
  }
  send_signal(*pid, SIGQUIT);
  if (gone_within(*pid, seconds(10))) return;
  kill_server(data_dir);
}

void kill_server(const fs::path& data_dir) {
  const auto pid = postmaster_of(data_dir);
  if (!pid) return;
  const auto children = children_of(*pid);
  send_signal(*pid, SIGKILL);
  for (const pid_t child : children) send_signal(child, SIGKILL);
  (void)gone_within(*pid, seconds(10));
  for (const pid_t child : children) (void)gone_within(child, seconds(5));
}

void run_tool(const std::vector<std::string>& argv, const std::string& what, Deadline deadline,
              const StopFlag* stop) {
  ChildSpec spec;
  spec.argv = argv;
  spec.env = {"LC_ALL=C.UTF-8", "TZ=UTC"};
  spec.cwd = "/";
  spec.run_as = server_user();
  const auto result = run_child(spec, deadline, stop);
  if (result.stopped) throw pg::PgError(pg::Failure::stopped, "", "interrupted during " + what);
  if (result.timed_out) {
    throw Error(ExitCode::failed, what + " was not done within its time limit",
                "The disk may be slow or full.");
  }
  if (result.exit_code != 0) {
    const bool disk = result.output.find("No space left") != std::string::npos;
    throw Error(ExitCode::failed, fmt::format("{} failed: {}", what, result.tail()),
                disk ? "Free some disk space and run the command again." : "");
  }
}

}  // namespace pantryd
