// Invariants: the password is only in files of mode 0600 in folder_. The program is the child of
// `timeout`, its wall clock, which dies with our process; the program dies with `timeout`.
#include "tests/support/pgbouncer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {
namespace {

using std::chrono::seconds;

constexpr const char* kWallClockSeconds = "600";
constexpr auto kStartLimit = seconds(20);
constexpr auto kConsoleLimit = seconds(10);
constexpr int kPortTries = 5;

/// The program is in a folder that an ordinary user's PATH leaves out.
std::filesystem::path program() {
  if (const auto found = find_program("pgbouncer")) return *found;
  return "/usr/sbin/pgbouncer";
}

/// The password of a conninfo's user: the last field of the first line of its passfile.
std::string password_of(const pg::Conninfo& server) {
  const auto text = read_file(server.get("passfile"));
  const auto line = text.substr(0, text.find('\n'));
  return line.substr(line.rfind(':') + 1);
}

}  // namespace

bool has_pgbouncer() {
  return ::access(program().c_str(), X_OK) == 0;
}

PgBouncer::PgBouncer(const pg::Conninfo& server, const PgBouncerOptions& options) {
  for (int left = kPortTries;; --left) {
    port_ = find_free_port_pair();
    folder_ = scratch_dir() / fmt::format("pgbouncer-{}", port_);
    std::filesystem::create_directories(folder_);
    const auto user = server_user();
    if (user && ::chown(folder_.c_str(), user->uid, user->gid) != 0) {
      throw Error(ExitCode::failed, "cannot set the owner of " + folder_.string());
    }
    write_private(
        "pgpass",
        fmt::format("127.0.0.1:{}:*:{}:{}\n", port_, server.get("user"), password_of(server)),
        true);
    write_configuration(server, options);
    through_ =
        server.with("port", std::to_string(port_)).with("passfile", (folder_ / "pgpass").string());
    try {
      start();
      return;
    } catch (const Error&) {
      // Somebody may have taken the port since.
      if (left <= 1) throw;
    }
  }
}

PgBouncer::~PgBouncer() {
  stop();
}

void PgBouncer::write_private(const std::string& name, const std::string& content,
                              bool ours) const {
  const auto path = folder_ / name;
  write_file_atomically(path, content, 0600);
  const auto user = server_user();
  if (user && !ours && ::chown(path.c_str(), user->uid, user->gid) != 0) {
    throw Error(ExitCode::failed, "cannot set the owner of " + path.string());
  }
}

void PgBouncer::write_configuration(const pg::Conninfo& server,
                                    const PgBouncerOptions& options) const {
  const auto user = server.get("user");
  write_private("users.txt", fmt::format("\"{}\" \"{}\"\n", user, password_of(server)), false);
  auto text = fmt::format(
      "[databases]\n* = host={} port={}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
      "listen_port = {}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n"
      "admin_users = {}\nlogfile = {}\npool_mode = {}\ndefault_pool_size = {}\n"
      "max_client_conn = 500\n",
      server.get("host"), server.get("port"), port_, (folder_ / "users.txt").string(), user,
      log_file().string(), options.pool_mode, options.pool_size);
  for (const auto& [name, value] : options.settings) text += fmt::format("{} = {}\n", name, value);
  write_private("pgbouncer.ini", text, false);
}

bool PgBouncer::answers() const {
  try {
    return !console("SHOW VERSION").empty();
  } catch (const pg::PgError&) {
    return false;
  }
}

void PgBouncer::start() {
  ChildSpec spec;
  spec.argv = {"timeout", "--signal=KILL",    kWallClockSeconds,
               "setpriv", "--pdeathsig",      "KILL",
               "--",      program().string(), (folder_ / "pgbouncer.ini").string()};
  spec.cwd = "/";
  spec.run_as = server_user();
  spec.output = folder_ / "output";
  spec.parent_death_signal = SIGKILL;
  child_ = std::make_unique<Child>(spec);
  bool up = false;
  (void)within(kStartLimit, [&] {
    up = answers();
    return up || !child_->running();
  });
  if (up && child_->running()) return;
  stop();
  const auto log = try_read_file(log_file()).value_or("it wrote no log");
  throw Error(ExitCode::failed,
              "pgbouncer does not start: " +
                  log.substr(log.size() - std::min<std::size_t>(log.size(), 600)));
}

void PgBouncer::stop() {
  if (!child_) return;
  child_->signal(SIGKILL);
  (void)child_->wait(Deadline::in(seconds(10)));
  child_.reset();
}

std::vector<std::string> PgBouncer::console(const std::string& command) const {
  const auto deadline = Deadline::in(kConsoleLimit);
  auto connection = pg::Connection::connect(through_.with("dbname", "pgbouncer"), deadline);
  const auto rows = connection.exec_script(command, deadline);
  std::vector<std::string> out;
  for (int i = 0; i < rows.rows(); ++i) {
    std::string line;
    for (int j = 0; j < rows.columns(); ++j) {
      line += (j > 0 ? "|" : "") + std::string(rows.maybe_text(i, j).value_or(""));
    }
    out.push_back(line);
  }
  return out;
}

}  // namespace pantryd::testing_support
