// Every statement and every child process has the same time limit.
#include "tests/support/server_pair.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "base/deadline.h"
#include "base/error.h"
#include "base/subprocess.h"
#include "pg/connection.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {
namespace {

constexpr auto kLimit = std::chrono::seconds(60);

/// As root servers run as another user, who may not be able to look into the build folder.
std::filesystem::path binaries(int major) {
  const auto installed = std::filesystem::path(places::servers_dir) / std::to_string(major);
  if (!std::filesystem::exists(installed / "bin/postgres")) {
    throw Error(ExitCode::failed, fmt::format("there is no server in {}", installed.string()),
                "Run: ctest -R servers.install");
  }
  ChildSpec probe;
  probe.argv = {"test", "-x", (installed / "bin/postgres").string()};
  probe.cwd = "/";
  probe.run_as = server_user();
  if (run_child(probe, Deadline::in(kLimit)).ok()) return installed / "bin";
  const auto copy = scratch_dir() / fmt::format("binaries-{}", major);
  if (!std::filesystem::exists(copy)) {
    std::filesystem::copy(
        installed, copy,
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  }
  return copy / "bin";
}

SandboxOptions options(int major) {
  SandboxOptions out;
  out.dir = scratch_dir() / fmt::format("server-{}", major);
  out.bin_dir = binaries(major);
  out.standby = false;  // made by hand: these servers come without pg_basebackup
  out.backups = false;
  out.tied_to_us = true;
  return out;
}

}  // namespace

ServerPair::ServerPair(int major, const std::string& content)
    : sandbox_(Sandbox::up(options(major))) {
  auto owner = pg::Connection::connect(sandbox_.primary(), Deadline::in(kLimit));
  for (const char* setting :
       {"wal_level = logical", "max_prepared_transactions = 4", "autovacuum = off"}) {
    owner.exec(fmt::format("ALTER SYSTEM SET {}", setting), Deadline::in(kLimit));
  }
  sandbox_.stop_primary();
  clone();
  sandbox_.start_primary();
  sandbox_.start_standby();
  fill(content);
}

void ServerPair::as_server(const std::string& script) const {
  ChildSpec spec;
  spec.argv = {"sh", "-euc", script};
  spec.cwd = sandbox_.dir();
  spec.run_as = server_user();
  const auto result = run_child(spec, Deadline::in(kLimit));
  if (!result.ok()) throw Error(ExitCode::failed, result.tail());
}

/// The standby is a copy of the stopped primary. Its settings name the primary that it follows.
void ServerPair::clone() const {
  const auto upstream =
      sandbox_.primary().with("dbname", "").with("application_name", "standby").reveal();
  std::string escaped;
  for (const char c : upstream) escaped += c == '\'' ? std::string("''") : std::string(1, c);
  as_server("rmdir standby; cp -a primary standby; touch standby/standby.signal");
  as_server(fmt::format(
      "cat >> standby/sandbox.conf <<'TEXT'\nport = {}\nprimary_conninfo = '{}'\nTEXT\n",
      sandbox_.port() + 1, escaped));
}

void ServerPair::fill(const std::string& content) const {
  auto primary = pg::Connection::connect(sandbox_.primary(), Deadline::in(kLimit));
  primary.exec_script(content, Deadline::in(kLimit));
  const auto position =
      primary.exec("SELECT pg_current_wal_flush_lsn()::text", Deadline::in(kLimit));
  auto standby = pg::Connection::connect(sandbox_.standby(), Deadline::in(kLimit));
  const auto wanted = pg::Params::of(position.text(0, 0));
  const bool caught_up = within(kLimit, [&] {
    return standby
        .exec("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", wanted, Deadline::in(kLimit))
        .boolean(0, 0);
  });
  if (!caught_up) throw Error(ExitCode::failed, "the standby does not follow");
}

}  // namespace pantryd::testing_support
