// Every wait has a time limit, so that a server or a run that hangs fails a test.
#include "tests/support/migrate_database.h"

#include <poll.h>
#include <unistd.h>

#include <filesystem>

#include "base/wait.h"

namespace pantryd::testing_support {

pg::Connection connect(const pg::Conninfo& where) {
  return pg::Connection::connect(where, soon());
}

pg::Conninfo fresh_database(const std::string& name) {
  auto admin = connect(shared_sandbox().primary());
  admin.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", soon());
  admin.exec("CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'", soon());
  return shared_sandbox().primary().with("dbname", name);
}

std::string folder_of(const std::string& name, const Files& files) {
  const auto folder = scratch_dir() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [file, text] : files) write_file_atomically(folder / file, text);
  return folder.string();
}

migrate::Migration make(const std::string& name, const std::string& sql) {
  return migrate::parse_file(name + ".sql", "-- migrate:up\n" + sql + "\n");
}

migrate::Migration make_outside(const std::string& name, const std::string& sql) {
  return migrate::parse_file(name + ".sql",
                             "-- migrate:no-transaction\n-- migrate:up\n" + sql + "\n");
}

std::vector<migrate::Applied> bring_up(pg::Connection& connection,
                                       const std::vector<migrate::Migration>& files,
                                       migrate::RunnerOptions options) {
  options.tool_version = "test";
  return migrate::up(connection, files, options, [](const migrate::Migration&) {});
}

ChildSpec pantryd_child(std::vector<std::string> arguments, const pg::Conninfo& where) {
  ChildSpec spec;
  spec.argv = {places::binary};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.argv.insert(spec.argv.end(), {"--dsn", dsn_of(where)});
  return spec;
}

ChildResult pantryd_run(std::vector<std::string> arguments, const pg::Conninfo& where) {
  return run_child(pantryd_child(std::move(arguments), where),
                   Deadline::in(std::chrono::seconds(120)));
}

std::string read_until(const Child& child, const std::string& text) {
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

bool becomes_true(pg::Connection& connection, const std::string& query) {
  return within(
      std::chrono::seconds(30), [&] { return connection.exec(query, soon()).boolean(0, 0); },
      std::chrono::milliseconds(20));
}

std::string one(const pg::Conninfo& where, const std::string& query) {
  auto connection = connect(where);
  const auto rows = connection.exec(query, soon());
  return rows.empty() || rows.is_null(0, 0) ? "" : std::string(rows.text(0, 0));
}

std::string told(const ChildResult& result) {
  return std::to_string(result.exit_code) + "\n" + result.output;
}

std::int64_t newest_version() {
  std::int64_t newest = 0;
  for (const auto& each : migrate::embedded_migrations()) newest = std::max(newest, each.version);
  return newest;
}

void bring_to(pg::Connection& connection, std::int64_t version) {
  migrate::RunnerOptions options;
  options.to = version;
  (void)bring_up(connection, migrate::embedded_migrations(), options);
}

std::string dump_of(const pg::Conninfo& where, const std::vector<std::string>& options) {
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

}  // namespace pantryd::testing_support
