// For the tests of migrations: a database each, folders of files, and runs of the binary.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/wait.h"
#include "migrate/drift.h"
#include "migrate/runner.h"
#include "pg/connection.h"
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
  spec.argv = {PANTRYD_BINARY};
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

}  // namespace pantryd::testing_support
