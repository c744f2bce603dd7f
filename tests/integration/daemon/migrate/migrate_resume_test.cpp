// Runs that are cut off: killed at every step, killed inside a concurrent build, failed. In the end
// there is always what an undisturbed run leaves.
#include <gmock/gmock.h>

#include <csignal>

#include "base/error.h"
#include "tests/support/migrate_database.h"
#include "tests/support/migrate_runs.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

TEST(MigrateResumeTest, ARunKilledBeforeAnyOfItsStepsIsCompletedByTheNext) {
  const auto folder = folder_of("killed", mixed_files());
  const std::vector<std::string> up{"migrate", "up", "--dir", folder};
  const auto calm = fresh_database("undisturbed");
  ASSERT_EQ(pantryd_run(up, calm).exit_code, 0);
  const auto wanted = state_of(calm);
  constexpr int kStepsMax = 100;
  const int step = kill_before_each_step(
      up, kStepsMax, [] { return fresh_database("killed"); },
      [&](const pg::Conninfo& where) {
        const auto again = pantryd_run(up, where);
        ASSERT_EQ(again.exit_code, 0) << again.output;
        ASSERT_EQ(state_of(where), wanted);
      });
  ASSERT_FALSE(HasFatalFailure());
  // 3 files in transactions, 7 statements one by one, the run's own two: fewer would mean that
  // boundaries are left out.
  EXPECT_GT(step, 35);
  EXPECT_LT(step, kStepsMax);
}

TEST(MigrateResumeTest, ARunKilledInsideAConcurrentBuildLeavesALeftoverThatTheNextRebuilds) {
  const auto where = fresh_database("mid_build");
  const auto folder = folder_of("mid_build", mixed_files());
  auto watcher = connect(where);
  ASSERT_EQ(pantryd_run({"migrate", "up", "--dir", folder, "--to", "1"}, where).exit_code, 0);
  auto writer = connect(where);
  writer.exec("BEGIN", soon());
  writer.exec("UPDATE item SET name = name WHERE id = 1", soon());
  Child child(pantryd_child({"migrate", "up", "--dir", folder}, where));
  ASSERT_TRUE(becomes_true(watcher,
                           "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND "
                           "indexrelid = to_regclass('item_name'))"));
  child.signal(SIGKILL);
  ASSERT_TRUE(child.wait(soon()).has_value());
  // The server notices by itself that the client is gone, although the writer still holds on.
  EXPECT_TRUE(becomes_true(watcher,
                           "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE "
                           "application_name = 'pantryd migrate')"));
  writer.exec("COMMIT", soon());
  const auto again = pantryd_run({"migrate", "up", "--dir", folder}, where);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("dropping the invalid index public.item_name"));
  const auto calm = fresh_database("undisturbed");
  ASSERT_EQ(pantryd_run({"migrate", "up", "--dir", folder}, calm).exit_code, 0);
  EXPECT_EQ(state_of(where), state_of(calm));
}

class InvalidIndexTest : public testing::Test {
 protected:
  InvalidIndexTest() : where_(fresh_database("invalid")), connection_(connect(where_)) {
    connection_.exec("CREATE TABLE item (id int, name text)", soon());
    connection_.exec("INSERT INTO item VALUES (1, 'a'), (1, 'b')", soon());
    EXPECT_THROW(connection_.exec("CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)", soon()),
                 pg::PgError);
  }
  bool valid(const std::string& index) {
    const auto rows =
        connection_.exec("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)",
                         pg::Params::of(index), soon());
    return !rows.empty() && rows.boolean(0, 0);
  }
  pg::Conninfo where_;
  pg::Connection connection_;
};

TEST_F(InvalidIndexTest, IfNotExistsOverOneRebuildsIt) {
  (void)bring_up(
      connection_,
      {make_outside("001_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS item_id ON item (id);")});
  EXPECT_TRUE(valid("item_id"));
}

TEST_F(InvalidIndexTest, OneThatCameUpInTheLastMomentIsNotTakenForASuccess) {
  connection_.exec("DROP INDEX item_id", soon());
  const auto file =
      make_outside("001_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS item_id ON item (id);");
  RunnerOptions options;
  options.before_step = [&](std::string_view what) {
    if (what.rfind("CREATE INDEX", 0) != 0) return;
    auto other = connect(where_);
    EXPECT_THROW(other.exec("CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)", soon()),
                 pg::PgError);
  };
  try {
    (void)bring_up(connection_, {file}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("item_id is not valid after it was built"));
  }
  EXPECT_EQ(bring_up(connection_, {file}).size(), 1U);
  EXPECT_TRUE(valid("item_id"));
}

TEST_F(InvalidIndexTest, IfNotExistsOverOneInATransactionIsAnError) {
  try {
    (void)bring_up(connection_,
                   {make("001_i", "CREATE INDEX IF NOT EXISTS item_id ON item (id);")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("001_i.sql:2: public.item_id exists and is invalid"));
  }
}

TEST_F(InvalidIndexTest, ABuildThatFailsLeavesNone) {
  const auto file =
      make_outside("001_i", "CREATE UNIQUE INDEX CONCURRENTLY item_other ON item (id);");
  EXPECT_THROW((void)bring_up(connection_, {file}), pg::PgError);
  EXPECT_TRUE(connection_.exec("SELECT to_regclass('item_other') IS NULL", soon()).boolean(0, 0));
  connection_.exec("DELETE FROM item WHERE name = 'b'", soon());
  EXPECT_EQ(bring_up(connection_, {file}).size(), 1U);
  EXPECT_TRUE(valid("item_other"));
}

TEST_F(InvalidIndexTest, LeftoversOfAReindexAreDroppedBeforeTheNextOne) {
  connection_.exec("CREATE INDEX item_name ON item (name)", soon());
  connection_.exec("ALTER INDEX item_id RENAME TO item_name_ccnew", soon());
  (void)bring_up(connection_, {make_outside("001_r", "REINDEX INDEX CONCURRENTLY item_name;")});
  EXPECT_TRUE(
      connection_.exec("SELECT to_regclass('item_name_ccnew') IS NULL", soon()).boolean(0, 0));
  EXPECT_TRUE(valid("item_name"));
}

TEST_F(InvalidIndexTest, AnIndexOfAnotherTableUnderTheNameIsAnErrorNotASuccess) {
  connection_.exec("CREATE TABLE other (id int)", soon());
  connection_.exec("CREATE INDEX taken ON other (id)", soon());
  EXPECT_THROW((void)bring_up(connection_, {make_outside("001_i",
                                                         "CREATE INDEX CONCURRENTLY IF NOT EXISTS "
                                                         "taken ON item (id);")}),
               Error);
}

TEST(MigrateResumeTest, AFailedStatementIsCorrectedInTheFileAndThoseBeforeItAreNotRunTwice) {
  auto connection = connect(fresh_database("corrected"));
  const std::string first = "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n";
  EXPECT_THROW((void)bring_up(connection, {make_outside("001_a", first + "SELECT 1/0;")}),
               pg::PgError);
  const std::vector<Migration> corrected{make_outside("001_a", first + "SELECT 1;")};
  auto rows = status(connection, corrected, soon());
  EXPECT_EQ(rows[0].state, MigrationState::half_done);
  EXPECT_EQ(rows[0].history->statements_done, 2);
  EXPECT_THAT(rows[0].history->error, HasSubstr("001_a.sql:5"));
  try {
    (void)bring_up(connection, {make_outside("001_a", "CREATE TABLE a (y int);\nSELECT 1;")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::drift);
  }
  EXPECT_EQ(bring_up(connection, corrected).size(), 1U);
  EXPECT_EQ(connection.exec("SELECT count(*) FROM a", soon()).i64(0, 0), 1);
  rows = status(connection, corrected, soon());
  EXPECT_EQ(rows[0].state, MigrationState::applied);
}

TEST(MigrateResumeTest, SettingsOfTheStatementsDoneHoldAgainAfterAResume) {
  auto connection = connect(fresh_database("settings"));
  const std::string first = "CREATE SCHEMA far;\nSET search_path = far;\n";
  EXPECT_THROW((void)bring_up(connection, {make_outside("001_a", first + "SELECT 1/0;")}),
               pg::PgError);
  (void)bring_up(connection, {make_outside("001_a", first + "CREATE TABLE a (x int);")});
  EXPECT_TRUE(connection.exec("SELECT to_regclass('far.a') IS NOT NULL", soon()).boolean(0, 0));
  EXPECT_NE(connection.exec("SHOW search_path", soon()).text(0, 0), "far");
}

TEST(MigrateResumeTest, HistoryIsWrittenAsOurselvesWhateverRoleAFileTakesOn) {
  auto connection = connect(fresh_database("roles"));
  connection.exec("DROP ROLE IF EXISTS nobody_much", soon());
  connection.exec("CREATE ROLE nobody_much", soon());
  EXPECT_EQ(bring_up(connection, {make("001_a", "SET ROLE nobody_much; SELECT 1;"),
                                  make_outside("002_b", "SET ROLE nobody_much; SELECT 1;"),
                                  make("003_c", "CREATE TABLE c (x int);")})
                .size(),
            3U);
}

TEST(MigrateResumeTest, ABatchThatCommitsByItselfRunsOutsideOfATransaction) {
  auto connection = connect(fresh_database("batches"));
  (void)bring_up(connection,
                 {make_outside("001_a",
                               "CREATE TABLE a (x int);\nDO $$ BEGIN FOR i IN 1..3 LOOP INSERT "
                               "INTO a VALUES (i); COMMIT; END LOOP; END $$;")});
  EXPECT_EQ(connection.exec("SELECT count(*) FROM a", soon()).i64(0, 0), 3);
}

TEST(MigrateResumeTest, AStatementInDoubtThatSaysAlreadyThereWasDone) {
  auto connection = connect(fresh_database("doubt"));
  connection.exec("DROP DATABASE IF EXISTS doubt_made", soon());
  const auto file = make_outside("001_a", "CREATE DATABASE doubt_made;");
  RunnerOptions options;
  bool made = false;
  options.before_step = [&](std::string_view what) {
    made = made || what.substr(0, 15) == "CREATE DATABASE";
    if (made && what == "progress") throw std::runtime_error("cut off");
  };
  EXPECT_THROW((void)bring_up(connection, {file}, options), std::runtime_error);
  EXPECT_EQ(status(connection, {file}, soon())[0].state, MigrationState::half_done);
  EXPECT_EQ(bring_up(connection, {file}).size(), 1U);
  connection.exec("DROP DATABASE doubt_made", soon());
}

TEST(MigrateResumeTest, APartitionThatIsHalfDetachedIsDetachedByTheNextRun) {
  const auto where = fresh_database("detached");
  auto connection = connect(where);
  connection.exec("CREATE TABLE p (x int) PARTITION BY LIST (x)", soon());
  connection.exec("CREATE TABLE c PARTITION OF p FOR VALUES IN (1)", soon());
  auto reader = connect(where);
  reader.exec("BEGIN", soon());
  reader.exec("SELECT * FROM p", soon());
  const auto file = make_outside("001_d", "ALTER TABLE p DETACH PARTITION c CONCURRENTLY;");
  RunnerOptions options;
  options.statement_timeout = seconds(1);
  EXPECT_THROW((void)bring_up(connection, {file}, options), pg::PgError);
  reader.exec("COMMIT", soon());
  EXPECT_EQ(bring_up(connection, {file}).size(), 1U);
  EXPECT_EQ(connection.exec("SELECT count(*) FROM pg_inherits", soon()).i64(0, 0), 0);
}

}  // namespace
}  // namespace pantryd::migrate
