// Real Knex, which tests/knex/install.sh put into the build folder, and databases that it made.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/migrate_database.h"
#include "tests/support/places.h"

namespace pantryd::testing_support {

/// Throws, and so fails the test, when Knex is not installed.
inline ChildSpec knex_child(std::vector<std::string> arguments, const pg::Conninfo& where,
                            const std::string& folder = {}) {
  const std::filesystem::path home = places::knex_dir;
  if (!std::filesystem::exists(home / "stamp")) {
    throw Error(ExitCode::failed, "Knex is not installed in " + home.string(),
                "Run the tests with ctest, or tests/knex/install.sh " + home.string());
  }
  ChildSpec spec;
  spec.argv = {"node", (home / "node_modules/knex/bin/cli.js").string(), "--knexfile",
               (home / "knexfile.js").string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.env = {"PGHOST=" + where.get("host"),         "PGPORT=" + where.get("port"),
              "PGUSER=" + where.get("user"),         "PGDATABASE=" + where.get("dbname"),
              "PGPASSFILE=" + where.get("passfile"), "KNEX_MIGRATIONS=" + folder};
  if (!where.get("password").empty()) spec.env.push_back("PGPASSWORD=" + where.get("password"));
  return spec;
}

inline ChildResult knex_run(std::vector<std::string> arguments, const pg::Conninfo& where,
                            const std::string& folder = {}) {
  return run_child(knex_child(std::move(arguments), where, folder),
                   Deadline::in(std::chrono::seconds(60)));
}

/// The shop's six migrations of Knex and these.
inline std::string knex_folder(const std::string& name, const Files& more) {
  const auto folder = scratch_dir() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::copy(std::filesystem::path(places::knex_dir) / "migrations", folder);
  for (const auto& [file, text] : more) write_file_atomically(folder / file, text);
  return folder.string();
}

/// A database that Knex has made with the shop's six migrations.
inline pg::Conninfo knex_database(const std::string& name) {
  static const bool made = [] {
    const auto where = fresh_database("knex_made");
    const auto run = knex_run({"migrate:latest"}, where);
    if (!run.ok()) throw Error(ExitCode::failed, "Knex could not migrate: " + run.output);
    return true;
  }();
  EXPECT_TRUE(made);
  auto admin = connect(shared_sandbox().primary());
  admin.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", soon());
  admin.exec("CREATE DATABASE " + name + " TEMPLATE knex_made", soon());
  return shared_sandbox().primary().with("dbname", name);
}

inline const std::vector<std::string> kAdopt{"migrate", "adopt", "--from", "knex"};

/// How many rows pantryd's history has; "0" also without one.
inline std::string history_rows(const pg::Conninfo& where) {
  if (one(where, "SELECT to_regclass('pantryd.migrations')").empty()) return "0";
  return one(where, "SELECT count(*) FROM pantryd.migrations");
}

}  // namespace pantryd::testing_support
