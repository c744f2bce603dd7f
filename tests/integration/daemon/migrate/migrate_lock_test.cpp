// Runners beside each other and beside a live application: who waits for whom, and for how long.
#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/error.h"
#include "tests/support/migrate_database.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using namespace testing_support;

/// Holds a lock until it goes out of scope.
pg::Connection hold(const pg::Conninfo& where, const std::string& statement) {
  auto connection = connect(where);
  connection.exec("BEGIN", soon());
  connection.exec(statement, soon());
  return connection;
}

TEST(MigrateLockTest, WithoutALockInTheBudgetTheErrorNamesPidAgeAndQueryOfTheBlocker) {
  const auto where = fresh_database("blocked");
  auto connection = connect(where);
  connection.exec("CREATE TABLE shop (a int)", soon());
  auto reader = hold(where, "SELECT a, 'the report' FROM shop");
  RunnerOptions options;
  options.lock_budget = seconds(2);
  try {
    (void)bring_up(connection, {make("001_a", "\nALTER TABLE shop ADD COLUMN b int;")}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::lock);
    const std::string pid = "pid " + std::to_string(reader.backend_pid());
    EXPECT_THAT(error.what(), HasSubstr("001_a.sql:3"));
    EXPECT_THAT(error.what(), HasSubstr(pid));
    EXPECT_THAT(error.what(), HasSubstr("idle in transaction, transaction "));
    EXPECT_THAT(error.what(), HasSubstr("SELECT a, 'the report' FROM shop"));
  }
  EXPECT_TRUE(connection.idle());
}

TEST(MigrateLockTest, EachAttemptIsToldAndTheRunSucceedsWhenTheBlockerGoes) {
  const auto where = fresh_database("gives_way");
  auto connection = connect(where);
  connection.exec("CREATE TABLE shop (a int)", soon());
  auto reader = hold(where, "SELECT a FROM shop");
  const auto folder = folder_of(
      "gives_way", {{"001_a.sql", "-- migrate:up\nALTER TABLE shop ADD COLUMN b int;\n"}});
  Child child(pantryd_child({"migrate", "up", "--dir", folder}, where));
  const auto said = read_until(child, "attempt 2");
  EXPECT_THAT(said, HasSubstr("001_a.sql:2: attempt 1, gave way after 100ms"));
  EXPECT_THAT(said, HasSubstr("SELECT a FROM shop"));
  reader.exec("COMMIT", soon());
  EXPECT_THAT(read_until(child, "applied"), HasSubstr("applied 001_a"));
  EXPECT_EQ(child.wait(soon()), 0);
}

TEST(MigrateLockTest, ADeadlockIsTriedAgain) {
  const auto where = fresh_database("deadlock");
  auto connection = connect(where);
  connection.exec("CREATE SEQUENCE tries", soon());
  // The first attempts end as the server would end them; a real deadlock takes a second and luck.
  (void)bring_up(
      connection,
      {make("001_a",
            "CREATE TABLE made (x int);\nDO $$ BEGIN IF (SELECT nextval('tries')) < 3 "
            "THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF; END $$;")});
  EXPECT_EQ(connection.exec("SELECT attempts FROM pantryd.migrations", soon()).i64(0, 0), 3);
}

TEST(MigrateLockTest, EightRunnersWhileWritersHoldOldTransactionsDoTheWorkOnce) {
  const auto where = fresh_database("crowd_live");
  auto connection = connect(where);
  connection.exec("CREATE TABLE shop (id int PRIMARY KEY, name text)", soon());
  connection.exec("INSERT INTO shop SELECT i, 'n' || i FROM generate_series(1, 1000) i", soon());
  const auto folder =
      folder_of("crowd_live",
                {{"001_a.sql", "-- migrate:up\nALTER TABLE shop ADD COLUMN price numeric;\n"},
                 {"002_b.sql",
                  "-- migrate:no-transaction\n-- migrate:up\n"
                  "CREATE INDEX CONCURRENTLY shop_name ON shop (name);\n"
                  "CREATE INDEX CONCURRENTLY IF NOT EXISTS shop_price ON shop (price);\n"},
                 {"003_c.sql", "-- migrate:up\nCREATE TABLE more (id int REFERENCES shop);\n"}});
  std::atomic<bool> done{false};
  std::atomic<int> writes{0};
  std::vector<std::thread> writers;
  for (int i = 1; i <= 3; ++i) {
    writers.emplace_back([&, i] {
      auto mine = connect(where);
      while (!done) {
        mine.exec("BEGIN", soon());
        mine.exec("UPDATE shop SET name = name || '.' WHERE id = $1", pg::Params::of(i), soon());
        std::this_thread::sleep_for(milliseconds(300 * i));
        mine.exec("COMMIT", soon());
        ++writes;
        std::this_thread::sleep_for(milliseconds(50));
      }
    });
  }
  std::vector<std::unique_ptr<Child>> runners;
  for (int i = 0; i < 8; ++i) {
    runners.push_back(
        std::make_unique<Child>(pantryd_child({"migrate", "up", "--dir", folder}, where)));
  }
  int workers = 0;
  for (auto& runner : runners) {
    const auto said = read_until(*runner, "no such text: read to the end");
    EXPECT_EQ(runner->wait(soon()), 0) << said;
    EXPECT_THAT(said, Not(HasSubstr("deadlock")));
    workers += said.find("applied 002_b") != std::string::npos ? 1 : 0;
  }
  done = true;
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(workers, 1);
  EXPECT_GT(writes, 3);
  const auto left = connection.exec(
      "SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid), "
      "(SELECT count(*) FROM pantryd.migrations WHERE state = 'done'), "
      "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')",
      soon());
  EXPECT_EQ(left.i64(0, 0), 0);
  EXPECT_EQ(left.i64(0, 1), 3);
  EXPECT_EQ(left.i64(0, 2), 0);
}

TEST(MigrateLockTest, AConcurrentBuildIsNotBegunBehindAForgottenTransaction) {
  const auto where = fresh_database("forgotten");
  auto connection = connect(where);
  connection.exec("CREATE TABLE shop (a int)", soon());
  auto forgotten = hold(where, "INSERT INTO shop VALUES (1)");
  RunnerOptions options;
  options.old_transaction = milliseconds(1);
  options.lock_budget = seconds(1);
  const auto file = make_outside("001_i", "CREATE INDEX CONCURRENTLY shop_a ON shop (a);");
  try {
    (void)bring_up(connection, {file}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::lock);
    EXPECT_THAT(error.what(), HasSubstr("pid " + std::to_string(forgotten.backend_pid())));
  }
  EXPECT_TRUE(connection.exec("SELECT to_regclass('shop_a') IS NULL", soon()).boolean(0, 0));
  forgotten.exec("ROLLBACK", soon());
  EXPECT_EQ(bring_up(connection, {file}, options).size(), 1U);
}

TEST(MigrateLockTest, AnIndexThatAnotherSessionBuildsNowIsWaitedForAndNotDroppedUnderIt) {
  const auto where = fresh_database("being_built");
  auto connection = connect(where);
  connection.exec("CREATE TABLE shop (a int)", soon());
  auto writer = hold(where, "INSERT INTO shop VALUES (1)");
  std::thread builder(
      [&] { connect(where).exec_script("CREATE INDEX CONCURRENTLY shop_a ON shop (a)", soon()); });
  const auto oid = [&] {
    return connection.exec("SELECT coalesce(to_regclass('shop_a')::oid, 0)", soon()).i64(0, 0);
  };
  EXPECT_TRUE(becomes_true(connection, "SELECT to_regclass('shop_a') IS NOT NULL"));
  const auto built = oid();
  RunnerOptions options;
  options.lock_budget = seconds(1);
  options.statement_timeout = seconds(5);
  const auto file =
      make_outside("001_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS shop_a ON shop (a);");
  try {
    (void)bring_up(connection, {file}, options);
    ADD_FAILURE() << "it was not waited for";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::lock);
    EXPECT_THAT(error.what(), HasSubstr("another session that builds public.shop_a"));
  }
  writer.exec("COMMIT", soon());
  builder.join();
  EXPECT_EQ(bring_up(connection, {file}).size(), 1U);
  EXPECT_EQ(oid(), built);
}

TEST(MigrateLockTest, ARunnerThatWaitsForAnotherNamesIt) {
  const auto where = fresh_database("other_runner");
  auto holder = connect(where);
  holder.exec("SELECT pg_advisory_lock(x'70616e74727964'::bigint)", soon());
  auto connection = connect(where);
  RunnerOptions options;
  options.lock_wait = milliseconds(300);
  try {
    (void)bring_up(connection, {make("001_a", "SELECT 1;")}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("pid " + std::to_string(holder.backend_pid())));
  }
}

TEST(MigrateLockTest, AMigrationThatLetsGoOfTheRunnersLockIsAnError) {
  auto connection = connect(fresh_database("let_go"));
  EXPECT_THROW((void)bring_up(connection, {make("001_a", "SELECT pg_advisory_unlock_all();")}),
               Error);
}

}  // namespace
}  // namespace pantryd::migrate
