// For the tests of migrations: a database each, folders of files, and runs of the binary.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
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

pg::Connection connect(const pg::Conninfo& where);

/// A database of its own for each test.
pg::Conninfo fresh_database(const std::string& name);

using Files = std::vector<std::pair<std::string, std::string>>;

/// A folder with these files and nothing else.
std::string folder_of(const std::string& name, const Files& files);

migrate::Migration make(const std::string& name, const std::string& sql);

/// One that runs statement by statement.
migrate::Migration make_outside(const std::string& name, const std::string& sql);

std::vector<migrate::Applied> bring_up(pg::Connection& connection,
                                       const std::vector<migrate::Migration>& files,
                                       migrate::RunnerOptions options = {});

ChildSpec pantryd_child(std::vector<std::string> arguments, const pg::Conninfo& where);

ChildResult pantryd_run(std::vector<std::string> arguments, const pg::Conninfo& where);

/// What a child wrote until `text` came or it closed its output.
std::string read_until(const Child& child, const std::string& text);

/// Waits until a query returns true; false when it did not within half a minute.
bool becomes_true(pg::Connection& connection, const std::string& query);

/// The first value of a query as text; empty for NULL and for no row.
std::string one(const pg::Conninfo& where, const std::string& query);

/// Exit code and output of a run, a line apart.
std::string told(const ChildResult& result);

/// The number of the last migration in this binary.
std::int64_t newest_version();

/// Up to `version` with the migrations of this binary.
void bring_to(pg::Connection& connection, std::int64_t version);

/// What pg_dump writes, without the two lines whose key is another one each time.
std::string dump_of(const pg::Conninfo& where, const std::vector<std::string>& options);

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
