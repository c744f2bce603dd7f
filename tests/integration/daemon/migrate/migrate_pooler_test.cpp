// Migrations through PgBouncer: in session mode they work, and where a session is not ours they are
// refused before anything has changed.
#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/error.h"
#include "migrate/run/session_lock.h"
#include "tests/support/migrate_database.h"
#include "tests/support/migrate_runs.h"
#include "tests/support/pgbouncer.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

/// What a refused run may not leave: a lock in a session that the pooler lends on, or a schema.
std::string traces(const pg::Conninfo& where) {
  return one(where,
             "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') || ' locks, ' "
             "|| (SELECT count(*) FROM pg_namespace WHERE nspname = 'pantryd') || ' schemas, ' "
             "|| (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) || "
             "' relations'");
}

class MigratePoolerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(has_pgbouncer()) << "pgbouncer is not installed: ./run install pgbouncer";
  }
  void expect_refused(const PgBouncer& pooler, const pg::Conninfo& direct) {
    const auto result = pantryd_run(up_, pooler.conninfo(direct.get("dbname")));
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_THAT(result.output, HasSubstr("is a connection pooler: "));
    EXPECT_THAT(result.output, HasSubstr("\nHINT: Connect directly"));
    EXPECT_EQ(traces(direct), "0 locks, 0 schemas, 0 relations");
  }
  std::string folder_ = folder_of("pooled", mixed_files());
  std::vector<std::string> up_{"migrate", "up", "--dir", folder_};
};

TEST_F(MigratePoolerTest, InTransactionModeItIsRefusedWithoutATrace) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "transaction"});
  expect_refused(pooler, direct);
}

TEST_F(MigratePoolerTest, InTransactionModeItIsRefusedAlsoWhenThePoolHoldsManySessions) {
  const auto direct = fresh_database("pooled");
  for (const auto* round_robin : {"0", "1"}) {
    const PgBouncer pooler(direct, {.pool_mode = "transaction",
                                    .pool_size = 20,
                                    .settings = {{"server_round_robin", round_robin}}});
    std::vector<pg::Connection> others;
    for (int i = 0; i < 10; ++i) {
      others.push_back(connect(pooler.conninfo()));
      others.back().exec("BEGIN", soon());
      others.back().exec("SELECT 1", soon());
    }
    for (auto& each : others) each.exec("COMMIT", soon());
    expect_refused(pooler, direct);
  }
}

TEST_F(MigratePoolerTest, InTransactionModeItIsRefusedAlsoWhileOthersAreBusy) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "transaction", .pool_size = 5});
  std::atomic<bool> done{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] {
      auto mine = connect(pooler.conninfo());
      while (!done) mine.exec("SELECT pg_sleep(0.002)", soon());
    });
  }
  for (int i = 0; i < 10; ++i) expect_refused(pooler, direct);
  done = true;
  for (auto& each : others) each.join();
}

TEST_F(MigratePoolerTest, InStatementModeItIsRefused) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "statement"});
  expect_refused(pooler, direct);
}

TEST_F(MigratePoolerTest, WithAPoolOfOneSessionItIsRefusedAndDoesNotHang) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "session", .pool_size = 1});
  const auto began = SteadyClock::now();
  expect_refused(pooler, direct);
  EXPECT_LT(SteadyClock::now() - began, seconds(20));
}

TEST_F(MigratePoolerTest, InSessionModeItLeavesWhatADirectRunLeaves) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "session"});
  // Sessions that others left behind are lent before new ones are started.
  for (int i = 0; i < 3; ++i) (void)one(pooler.conninfo(), "SELECT 1");
  const auto result = pantryd_run(up_, pooler.conninfo());
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(state_of(direct), undisturbed(folder_));
  EXPECT_EQ(pantryd_run(up_, pooler.conninfo()).exit_code, 0);
}

TEST_F(MigratePoolerTest, InSessionModeABlockerIsNamedAsOnADirectConnection) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "session"});
  auto holder = connect(direct);
  holder.exec("CREATE TABLE shop (a int)", soon());
  holder.exec("BEGIN", soon());
  holder.exec("SELECT a FROM shop", soon());
  const auto folder =
      folder_of("pooled_block", {{"001_a.sql", "-- migrate:up\nALTER TABLE shop ADD b int;\n"}});
  Child child(pantryd_child({"migrate", "up", "--dir", folder}, pooler.conninfo()));
  EXPECT_THAT(read_until(child, "attempt 3"),
              HasSubstr("held by pid " + std::to_string(holder.backend_pid())));
  holder.exec("COMMIT", soon());
  EXPECT_THAT(read_until(child, "applied"), HasSubstr("applied 001_a"));
  EXPECT_EQ(child.wait(soon()), 0);
}

TEST_F(MigratePoolerTest, InSessionModeTwoRunnersAtOnceNeverBothWork) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "session"});
  std::vector<std::unique_ptr<Child>> runners;
  for (int i = 0; i < 2; ++i) {
    runners.push_back(std::make_unique<Child>(pantryd_child(up_, pooler.conninfo())));
  }
  int workers = 0;
  for (auto& runner : runners) {
    const auto said = read_until(*runner, "no such text: read to the end");
    EXPECT_EQ(runner->wait(soon()), 0) << said;
    workers += said.find("applied 002_live") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(workers, 1);
  EXPECT_EQ(state_of(direct), undisturbed(folder_));
}

TEST_F(MigratePoolerTest, InSessionModeAKilledRunnerLeavesNoLockAndTheNextCompletes) {
  const auto direct = fresh_database("pooled");
  const PgBouncer pooler(direct, {.pool_mode = "session"});
  auto spec = pantryd_child(up_, pooler.conninfo());
  spec.env = {"PANTRYD_TEST_PAUSE_BEFORE=20"};
  Child child(spec);
  ASSERT_THAT(read_until(child, "paused before step"), HasSubstr("paused before step"));
  auto watcher = connect(direct);
  const std::string locked = "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')";
  EXPECT_TRUE(watcher.exec("SELECT " + locked, soon()).boolean(0, 0));
  child.signal(SIGKILL);
  ASSERT_TRUE(child.wait(soon()).has_value());
  EXPECT_TRUE(becomes_true(watcher, "SELECT NOT " + locked));
  const auto again = pantryd_run(up_, pooler.conninfo());
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(state_of(direct), undisturbed(folder_));
}

TEST_F(MigratePoolerTest, APoolerThatDiesHalfWayIsAClearErrorAndTheNextRunCompletes) {
  const auto direct = fresh_database("pooled");
  PgBouncer pooler(direct, {.pool_mode = "session"});
  auto connection = connect(pooler.conninfo());
  RunnerOptions options;
  options.before_step = [&](std::string_view what) {
    if (what.rfind("DROP INDEX", 0) == 0) pooler.stop();
  };
  try {
    (void)bring_up(connection, load_folder(folder_), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::unreachable);
    EXPECT_THAT(error.what(), HasSubstr("002_live.sql:6"));
  }
  pooler.start();
  const auto again = pantryd_run(up_, pooler.conninfo());
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(state_of(direct), undisturbed(folder_));
}

TEST_F(MigratePoolerTest, TheProofCostsADirectConnectionNothing) {
  auto connection = connect(fresh_database("pooled"));
  EXPECT_EQ(require_own_session(connection), connection.backend_pid());
}

}  // namespace
}  // namespace pantryd::migrate
