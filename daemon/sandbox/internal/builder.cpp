// Invariant: the password exists only in DIR/pgpass and, hashed, in the server. Nothing prints it.
#include "sandbox/internal/builder.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "pg/connection.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;

std::string random_password() {
  unsigned char bytes[24] = {};
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    throw Error(ExitCode::failed, "the kernel gave no random bytes");
  }
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

/// The archive command refuses to overwrite, and a segment appears under its name only when it is
/// on disk (PostgreSQL manual, "Setting Up WAL Archiving").
std::string archive_command(const fs::path& archive) {
  return fmt::format(
      "test ! -f \"{0}/%f\" && cp \"%p\" \"{0}/.%f.tmp\" && sync \"{0}/.%f.tmp\" && "
      "mv \"{0}/.%f.tmp\" \"{0}/%f\"",
      archive.string());
}

std::string common_settings(const SandboxOptions& options, std::uint16_t port) {
  return fmt::format(R"(# Written by pantryd sandbox up; the standby has its own copy.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = '256MB'
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = 'all'
track_io_timing = on
track_wal_io_timing = on
wal_level = replica
max_wal_size = '2GB'
max_wal_senders = 10
max_replication_slots = 10
max_slot_wal_keep_size = '4GB'
hot_standby = on
archive_mode = on
archive_timeout = '60s'
archive_command = '{archive}'
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C.UTF-8'
)",
                     fmt::arg("port", port),
                     fmt::arg("archive", archive_command(options.dir / "archive")));
}

}  // namespace

pg::Conninfo SandboxBuilder::conninfo(const fs::path& dir, std::uint16_t port,
                                      const std::string& database) {
  return pg::Conninfo::parse("host=127.0.0.1")
      .with("port", std::to_string(port))
      .with("dbname", database)
      .with("user", kSandboxUser)
      .with("passfile", (dir / "pgpass").string());
}

ServerPlace SandboxBuilder::primary_place(const SandboxOptions& options) {
  return {options.dir / "primary", options.dir / "log/primary.log", options.bin_dir, options.port};
}

ServerPlace SandboxBuilder::standby_place(const SandboxOptions& options) {
  return {options.dir / "standby", options.dir / "log/standby.log", options.bin_dir,
          static_cast<std::uint16_t>(options.port + 1)};
}

void SandboxBuilder::own(const fs::path& path, unsigned mode) const {
  const auto user = server_user();
  if (::chmod(path.c_str(), mode) != 0 ||
      (user && ::chown(path.c_str(), user->uid, user->gid) != 0)) {
    throw Error(ExitCode::failed, fmt::format("cannot set the owner of {}", path.string()));
  }
}

void SandboxBuilder::write_owned(const fs::path& path, const std::string& content) const {
  write_file_atomically(path, content, 0600);
  own(path, 0600);
}

void SandboxBuilder::make_folders() {
  for (const char* name :
       {"primary", "standby", "archive", "log", "backups", "backups/base", "backups/dumps"}) {
    fs::create_directories(options_.dir / name);
    own(options_.dir / name, 0700);
  }
  own(options_.dir, 0700);
  const auto user = server_user();
  if (!user) return;
  const auto probe = run_child(
      {.argv = {"test", "-w", (options_.dir / "primary").string()}, .cwd = "/", .run_as = user},
      deadline_, stop_);
  if (!probe.ok()) {
    throw Error(ExitCode::failed,
                fmt::format("the user postgres cannot reach {}", options_.dir.string()),
                "Name a folder with --dir whose parents everybody may enter, such as one in /tmp.");
  }
}

void SandboxBuilder::initialise_primary() {
  const auto password = random_password();
  const auto pwfile = options_.dir / "pwfile";
  write_owned(pwfile, password + "\n");
  const auto data = (options_.dir / "primary").string();
  run_tool({(options_.bin_dir / "initdb").string(), "-D", data, "-U", kSandboxUser, "-E", "UTF8",
            "--locale=C.UTF-8", "--auth=scram-sha-256", "--pwfile=" + pwfile.string(),
            "--data-checksums", "--no-sync"},
           "initdb", deadline_, stop_);
  fs::remove(pwfile);
  write_owned(options_.dir / "pgpass",
              fmt::format("127.0.0.1:{0}:*:{2}:{3}\n127.0.0.1:{1}:*:{2}:{3}\n", options_.port,
                          options_.port + 1, kSandboxUser, password));
  write_owned(fs::path(data) / "sandbox.conf", common_settings(options_, options_.port));
  const auto main = fs::path(data) / "postgresql.conf";
  write_owned(main, read_file(main) + "\ninclude = 'sandbox.conf'\n");
}

void SandboxBuilder::start_primary() {
  start_server(primary_place(options_), conninfo(options_.dir, options_.port, "postgres"),
               options_.tied_to_us, deadline_, stop_);
}

void SandboxBuilder::create_database() {
  const pg::ConnectOptions connect{.application_name = "pantryd sandbox", .stop = stop_};
  auto admin = pg::Connection::connect(conninfo(options_.dir, options_.port, "postgres"), deadline_,
                                       connect);
  admin.exec(fmt::format("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", kSandboxDatabase),
             deadline_);
  if (options_.standby) {
    admin.exec("SELECT pg_create_physical_replication_slot($1, true)", pg::Params::of(kStandbySlot),
               deadline_);
  }
  auto shop = pg::Connection::connect(conninfo(options_.dir, options_.port, kSandboxDatabase),
                                      deadline_, connect);
  shop.exec("CREATE EXTENSION pg_stat_statements", deadline_);
}

void SandboxBuilder::clone_standby() {
  const auto place = standby_place(options_);
  const auto source = conninfo(options_.dir, options_.port, "");
  run_tool({(options_.bin_dir / "pg_basebackup").string(), "-d", source.reveal(), "-D",
            place.data_dir.string(), "-X", "stream", "-c", "fast", "-S", kStandbySlot, "--no-sync"},
           "pg_basebackup of the standby", deadline_, stop_);
  const auto upstream = source.with("application_name", "standby").reveal();
  std::string escaped;
  for (const char c : upstream) escaped += c == '\'' ? std::string("''") : std::string(1, c);
  write_owned(place.data_dir / "sandbox.conf",
              common_settings(options_, place.port) +
                  fmt::format("primary_conninfo = '{}'\nprimary_slot_name = '{}'\n", escaped,
                              kStandbySlot));
  write_owned(place.data_dir / "standby.signal", "");
}

void SandboxBuilder::start_standby() {
  const auto place = standby_place(options_);
  start_server(place, conninfo(options_.dir, place.port, "postgres"), options_.tied_to_us,
               deadline_, stop_);
}

}  // namespace pantryd
