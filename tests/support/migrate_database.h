// For the tests of migrations: a database each, folders of files, and runs of the binary.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/wait.h"
#include "migrate/catalogue/drift.h"
#include "migrate/migrate.h"
#include "pg/connection.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {

inline Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

inline pg::Connection connect(const pg::Conninfo& where) {
  return pg::Connection::connect(where, soon());
}

/// A database of its own for each test.
inline pg::Conninfo fresh_database(const std::string& name) {
  auto admin = connect(shared_sandbox().primary());
  admin.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", soon());
  admin.exec("CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'", soon());
  return shared_sandbox().primary().with("dbname", name);
}

using Files = std::vector<std::pair<std::string, std::string>>;

/// A folder with these files and nothing else.
inline std::string folder_of(const std::string& name, const Files& files) {
  const auto folder = scratch_dir() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [file, text] : files) write_file_atomically(folder / file, text);
  return folder.string();
}

inline migrate::Migration make(const std::string& name, const std::string& sql) {
  return migrate::parse_file(name + ".sql", "-- migrate:up\n" + sql + "\n");
}

/// One that runs statement by statement.
inline migrate::Migration make_outside(const std::string& name, const std::string& sql) {
  return migrate::parse_file(name + ".sql",
                             "-- migrate:no-transaction\n-- migrate:up\n" + sql + "\n");
}

inline std::vector<migrate::Applied> bring_up(pg::Connection& connection,
                                              const std::vector<migrate::Migration>& files,
                                              migrate::RunnerOptions options = {}) {
  options.tool_version = "test";
  return migrate::up(connection, files, options, [](const migrate::Migration&) {});
}

inline ChildSpec pantryd_child(std::vector<std::string> arguments, const pg::Conninfo& where) {
  ChildSpec spec;
  spec.argv = {places::binary};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.argv.insert(spec.argv.end(), {"--dsn", dsn_of(where)});
  return spec;
}

inline ChildResult pantryd_run(std::vector<std::string> arguments, const pg::Conninfo& where) {
  return run_child(pantryd_child(std::move(arguments), where),
                   Deadline::in(std::chrono::seconds(120)));
}

/// What a child wrote until `text` came or it closed its output.
inline std::string read_until(const Child& child, const std::string& text) {
  std::string out;
  const auto deadline = Deadline::in(std::chrono::seconds(60));
  while (out.find(text) == std::string::npos &&
         wait_ready(child.output_fd(), POLLIN, deadline, nullptr) == Ready::yes) {
    char buffer[4096];
    const auto got = ::read(child.output_fd(), buffer, sizeof buffer);
    if (got <= 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
  }
  return out;
}

/// Waits until a query returns true; false when it did not within half a minute.
inline bool becomes_true(pg::Connection& connection, const std::string& query) {
  return within(
      std::chrono::seconds(30), [&] { return connection.exec(query, soon()).boolean(0, 0); },
      std::chrono::milliseconds(20));
}

/// The first value of a query as text; empty for NULL and for no row.
inline std::string one(const pg::Conninfo& where, const std::string& query) {
  auto connection = connect(where);
  const auto rows = connection.exec(query, soon());
  return rows.empty() || rows.is_null(0, 0) ? "" : std::string(rows.text(0, 0));
}

/// Exit code and output of a run, a line apart.
inline std::string told(const ChildResult& result) {
  return std::to_string(result.exit_code) + "\n" + result.output;
}

/// The number of the last migration in this binary.
inline std::int64_t newest_version() {
  std::int64_t newest = 0;
  for (const auto& each : migrate::embedded_migrations()) newest = std::max(newest, each.version);
  return newest;
}

/// Up to `version` with the migrations of this binary.
inline void bring_to(pg::Connection& connection, std::int64_t version) {
  migrate::RunnerOptions options;
  options.to = version;
  (void)bring_up(connection, migrate::embedded_migrations(), options);
}

/// What pg_dump writes, without the two lines whose key is another one each time.
inline std::string dump_of(const pg::Conninfo& where, const std::vector<std::string>& options) {
  const auto file = (scratch_dir() / "dump.sql").string();
  ChildSpec spec;
  spec.argv = {(shared_sandbox().bin_dir() / "pg_dump").string(), "--file=" + file, "-d",
               where.reveal()};
  spec.argv.insert(spec.argv.end(), options.begin(), options.end());
  const auto result = run_child(spec, Deadline::in(std::chrono::seconds(60)));
  if (!result.ok()) throw Error(ExitCode::failed, "pg_dump failed: " + result.output);
  std::istringstream lines(read_file(file));
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ")) out += line + "\n";
  }
  return out;
}

/// Starts `arguments` on a new database each time, kills it before its first step, its second, and
/// so on until a run has no more of them, and has `check` look at what each kill left. Returns the
/// number of steps and one.
template <typename MakeDatabase, typename Check>
int kill_before_each_step(const std::vector<std::string>& arguments, int steps_max,
                          const MakeDatabase& make_database, const Check& check) {
  int step = 1;
  for (; step < steps_max; ++step) {
    const pg::Conninfo where = make_database();
    auto spec = pantryd_child(arguments, where);
    spec.env = {"PANTRYD_TEST_PAUSE_BEFORE=" + std::to_string(step)};
    Child child(spec);
    const auto said = read_until(child, "paused before step");
    if (said.find("paused before step") == std::string::npos) break;
    SCOPED_TRACE(said);
    child.signal(SIGKILL);
    if (!child.wait(soon()).has_value()) {
      ADD_FAILURE() << "a killed run did not end";
      break;
    }
    check(where);
  }
  return step;
}

}  // namespace pantryd::testing_support
