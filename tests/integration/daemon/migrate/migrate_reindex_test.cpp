// A REINDEX CONCURRENTLY clears away what it left itself, and nothing of anybody else. Once it
// dropped every invalid "_ccnew" index of the database, also those that another session was
// building: that session then died of a deadlock.
#include <gmock/gmock.h>

#include <csignal>
#include <future>
#include <memory>
#include <thread>

#include "base/error.h"
#include "tests/support/migrate_database.h"

namespace pantryd::migrate {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using namespace testing_support;

class MigrateReindexTest : public testing::Test {
 protected:
  MigrateReindexTest() : where_(fresh_database("reindex")), connection_(connect(where_)) {
    run("CREATE TABLE big (a int, b int, note text)");
    run("CREATE INDEX big_a ON big (a)");
    run("CREATE INDEX big_b ON big (b)");
    run("CREATE TABLE mine (v int)");
    run("CREATE INDEX mine_v ON mine (v)");
    run("INSERT INTO big SELECT i, i, 'n' FROM generate_series(1, 1000) i");
  }

  void run(const std::string& sql) { connection_.exec(sql, soon()); }

  /// A transaction that a concurrent build on `table` waits for.
  std::unique_ptr<pg::Connection> hold(const std::string& table) {
    auto out = std::make_unique<pg::Connection>(connect(where_));
    out->exec("BEGIN", soon());
    out->exec("LOCK TABLE " + table + " IN ROW EXCLUSIVE MODE", soon());
    return out;
  }

  /// What a REINDEX leaves that a timeout ends while it waits for a transaction on `table`.
  void leave_leftovers(const std::string& reindex, const std::string& table) {
    const auto holder = hold(table);
    auto session = connect(where_);
    session.exec("SET statement_timeout = '300ms'", soon());
    EXPECT_THROW(session.exec(reindex, soon()), pg::PgError);
  }

  /// The invalid indexes, with their schema where it is not public.
  std::string invalid() {
    return one(where_,
               "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass"
               "::text COLLATE \"C\") FROM pg_index WHERE NOT indisvalid");
  }

  /// Statements end after a while, so that a test fails and does not hang.
  static RunnerOptions bounded() {
    RunnerOptions out;
    out.statement_timeout = seconds(20);
    return out;
  }

  std::vector<Applied> reindex(const std::string& sql, RunnerOptions options = bounded()) {
    return bring_up(connection_, {make_outside("001_r", sql)}, std::move(options));
  }

  pg::Conninfo where_;
  pg::Connection connection_;
};

/// Another session's REINDEX CONCURRENTLY that has made its indexes and cannot go on yet.
class Rebuild {
 public:
  Rebuild(const pg::Conninfo& where, const std::string& sql) : session_(connect(where)) {
    done_ = std::async(std::launch::async, [this, sql] { session_.exec(sql, soon()); });
  }
  int pid() const { return session_.backend_pid(); }
  bool under_way() { return done_.wait_for(seconds(0)) != std::future_status::ready; }
  /// Throws what the server said.
  void end() { done_.get(); }

 private:
  pg::Connection session_;
  std::future<void> done_;
};

TEST_F(MigrateReindexTest, OfAnotherTableLeavesARebuildThatIsUnderWayAlone) {
  const auto holder = hold("big");
  Rebuild rebuild(where_, "REINDEX TABLE CONCURRENTLY big");
  ASSERT_TRUE(becomes_true(connection_, "SELECT count(*) >= 3 FROM pg_index WHERE NOT indisvalid"));
  const auto before = invalid();
  EXPECT_THAT(before, HasSubstr("big_a_ccnew big_b_ccnew"));
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY mine_v;").size(), 1U);
  EXPECT_EQ(invalid(), before);
  EXPECT_TRUE(rebuild.under_way());
  holder->exec("COMMIT", soon());
  EXPECT_NO_THROW(rebuild.end());
  EXPECT_EQ(invalid(), "");
}

TEST_F(MigrateReindexTest, OfTheSameTableWaitsForARebuildThatIsUnderWayAndNamesIt) {
  auto holder = hold("big");
  Rebuild rebuild(where_, "REINDEX TABLE CONCURRENTLY big");
  ASSERT_TRUE(becomes_true(connection_, "SELECT count(*) >= 3 FROM pg_index WHERE NOT indisvalid"));
  const auto before = invalid();
  auto options = bounded();
  options.lock_budget = seconds(1);
  for (const auto* sql :
       {"REINDEX INDEX CONCURRENTLY big_a;", "REINDEX TABLE CONCURRENTLY big;",
        "REINDEX SCHEMA CONCURRENTLY public;", "CREATE INDEX CONCURRENTLY big_c ON big (a);",
        "DROP INDEX CONCURRENTLY big_b;"}) {
    try {
      (void)bring_up(connection_, {make_outside("001_r", sql)}, options);
      ADD_FAILURE() << sql << " was not waited for";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::lock) << sql;
      EXPECT_THAT(error.what(), HasSubstr("pid " + std::to_string(rebuild.pid()))) << sql;
    }
    EXPECT_EQ(invalid(), before) << sql;
    run("DELETE FROM pantryd.migrations");
  }
  EXPECT_TRUE(rebuild.under_way());
  holder->exec("COMMIT", soon());
  EXPECT_NO_THROW(rebuild.end());
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY big_a;", options).size(), 1U);
  EXPECT_EQ(invalid(), "");
}

TEST_F(MigrateReindexTest, ItsOwnLeftoverIsDroppedAndAForeignOneIsNot) {
  leave_leftovers("REINDEX TABLE CONCURRENTLY big", "big");
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  ASSERT_THAT(invalid(), HasSubstr("big_a_ccnew big_b_ccnew mine_v_ccnew"));
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY big_a;").size(), 1U);
  EXPECT_THAT(invalid(), Not(HasSubstr("big_a_ccnew")));
  EXPECT_THAT(invalid(), HasSubstr("big_b_ccnew mine_v_ccnew"));
  EXPECT_EQ(bring_up(connection_, {make_outside("001_r", "REINDEX INDEX CONCURRENTLY big_a;"),
                                   make_outside("002_r", "REINDEX TABLE CONCURRENTLY big;")})
                .size(),
            1U);
  EXPECT_EQ(invalid(), "mine_v_ccnew");
}

TEST_F(MigrateReindexTest, ARunKilledInsideItLeavesALeftoverThatTheNextDropsAndThenGoesOn) {
  const auto folder = folder_of(
      "reindex", {{"001_r.sql",
                   "-- migrate:no-transaction\n-- migrate:up\nREINDEX INDEX CONCURRENTLY big_a;\n"
                   "CREATE TABLE after (x int);\n"}});
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  auto holder = hold("big");
  Child child(pantryd_child({"migrate", "up", "--dir", folder}, where_));
  ASSERT_TRUE(becomes_true(connection_, "SELECT to_regclass('big_a_ccnew') IS NOT NULL"));
  child.signal(SIGKILL);
  ASSERT_TRUE(child.wait(soon()).has_value());
  ASSERT_TRUE(becomes_true(connection_,
                           "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE "
                           "application_name = 'pantryd migrate')"));
  holder->exec("COMMIT", soon());
  ASSERT_EQ(invalid(), "big_a_ccnew mine_v_ccnew");
  const auto again = pantryd_run({"migrate", "up", "--dir", folder}, where_);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("dropping the invalid index public.big_a_ccnew"));
  EXPECT_EQ(invalid(), "mine_v_ccnew");
  EXPECT_EQ(one(where_, "SELECT to_regclass('after')"), "after");
}

TEST_F(MigrateReindexTest, AFailedOneLeavesNothingOfItsOwnBehind) {
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  auto holder = hold("big");
  auto options = bounded();
  options.statement_timeout = seconds(2);
  options.before_step = [&](std::string_view what) {
    if (what == "drop invalid index") holder->exec("ROLLBACK", soon());
  };
  EXPECT_THROW((void)reindex("REINDEX TABLE CONCURRENTLY big;", options), pg::PgError);
  EXPECT_EQ(invalid(), "mine_v_ccnew");
}

TEST_F(MigrateReindexTest, QuotedNamesAndSchemasAreTakenAsTheStatementWritesThem) {
  run("CREATE SCHEMA \"Far Away\"");
  run("CREATE TABLE \"Far Away\".\"Big\" (a int)");
  run("CREATE INDEX \"I \"\"1\" ON \"Far Away\".\"Big\" (a)");
  run("CREATE INDEX mine_v ON \"Far Away\".\"Big\" (a)");
  leave_leftovers("REINDEX TABLE CONCURRENTLY \"Far Away\".\"Big\"", "\"Far Away\".\"Big\"");
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  ASSERT_EQ(invalid(), "\"Far Away\".\"I \"\"1_ccnew\" \"Far Away\".mine_v_ccnew mine_v_ccnew");
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY \"Far Away\".\"I \"\"1\";").size(), 1U);
  EXPECT_EQ(invalid(), "\"Far Away\".mine_v_ccnew mine_v_ccnew");
  run("DELETE FROM pantryd.migrations");
  // Unqualified: the first of the search path, which the file itself sets.
  EXPECT_EQ(reindex("SET search_path = \"Far Away\";\nREINDEX INDEX CONCURRENTLY mine_v;").size(),
            1U);
  EXPECT_EQ(invalid(), "mine_v_ccnew");
}

TEST_F(MigrateReindexTest, ALeftoverOfALongNameIsKnownWhereItIsCutAndOnlyIfNoOtherIndexFits) {
  const std::string stem(58, 'x');
  run("CREATE INDEX " + stem + "_one ON mine (v)");
  leave_leftovers("REINDEX INDEX CONCURRENTLY " + stem + "_one", "mine");
  const auto leftover = stem.substr(0, 57) + "_ccnew";
  ASSERT_EQ(invalid(), leftover);
  run("CREATE INDEX " + stem + "_two ON mine (v)");
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY " + stem + "_one;").size(), 1U);
  EXPECT_EQ(invalid(), leftover) << "it may be of either";
  run("DROP INDEX " + stem + "_two");
  run("DELETE FROM pantryd.migrations");
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY " + stem + "_one;").size(), 1U);
  EXPECT_EQ(invalid(), "");
}

TEST_F(MigrateReindexTest, LeftoversOfPartitionsAreThoseOfTheirPartitionedTableAndIndex) {
  run("CREATE TABLE parts (x int, y int) PARTITION BY LIST (x)");
  run("CREATE INDEX parts_x ON parts (x)");
  run("CREATE INDEX parts_y ON parts (y)");
  run("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)");
  leave_leftovers("REINDEX TABLE CONCURRENTLY parts_1", "parts_1");
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  ASSERT_EQ(invalid(), "mine_v_ccnew parts_1_x_idx_ccnew parts_1_y_idx_ccnew");
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY parts_x;").size(), 1U);
  EXPECT_EQ(invalid(), "mine_v_ccnew parts_1_y_idx_ccnew");
  run("DELETE FROM pantryd.migrations");
  EXPECT_EQ(reindex("REINDEX TABLE CONCURRENTLY parts;").size(), 1U);
  EXPECT_EQ(invalid(), "mine_v_ccnew");
}

TEST_F(MigrateReindexTest, TheLeftoversOfTheToastTableAreThoseOfItsTable) {
  const auto toasted = [&] {
    return one(where_,
               "SELECT count(*) FROM pg_index i JOIN pg_class t ON t.reltoastrelid = "
               "i.indrelid WHERE NOT i.indisvalid AND t.oid = 'big'::regclass");
  };
  leave_leftovers("REINDEX TABLE CONCURRENTLY big", "big");
  ASSERT_EQ(toasted(), "1");
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY big_a;").size(), 1U);
  EXPECT_EQ(toasted(), "1");
  run("DELETE FROM pantryd.migrations");
  EXPECT_EQ(reindex("REINDEX TABLE CONCURRENTLY big;").size(), 1U);
  EXPECT_EQ(toasted(), "0");
}

TEST_F(MigrateReindexTest, OfASchemaOrADatabaseOnlyReportsWhatMayBeALeftover) {
  leave_leftovers("REINDEX TABLE CONCURRENTLY mine", "mine");
  const std::string headers = "-- migrate:no-transaction\n-- migrate:up\n";
  for (const std::string what : {"SCHEMA CONCURRENTLY public", "DATABASE CONCURRENTLY reindex"}) {
    run("DROP SCHEMA IF EXISTS pantryd CASCADE");
    const auto folder = folder_of("reindex", {{"001_r.sql", headers + "REINDEX " + what + ";\n"}});
    auto holder = hold("big");
    const auto failed =
        pantryd_run({"migrate", "up", "--dir", folder, "--statement-timeout", "1s"}, where_);
    EXPECT_EQ(failed.exit_code, 1) << failed.output;
    EXPECT_THAT(failed.output, HasSubstr("the invalid index public.mine_v_ccnew may be"));
    EXPECT_THAT(failed.output, HasSubstr("the invalid index public.big_a_ccnew may be"));
    EXPECT_THAT(invalid(), HasSubstr("mine_v_ccnew"));
    holder->exec("COMMIT", soon());
    const auto again = pantryd_run({"migrate", "up", "--dir", folder}, where_);
    EXPECT_EQ(again.exit_code, 0) << again.output;
    EXPECT_THAT(invalid(), HasSubstr("mine_v_ccnew"));
  }
}

TEST_F(MigrateReindexTest, ABuildOfAnotherRoleIsSeenWithoutTheRightToSeeItsProgress) {
  run("DROP ROLE IF EXISTS reindex_migrates");
  run("CREATE ROLE reindex_migrates LOGIN PASSWORD 'till'");
  run("GRANT CREATE ON DATABASE reindex TO reindex_migrates");
  run("ALTER TABLE mine OWNER TO reindex_migrates");
  run("ALTER SCHEMA public OWNER TO reindex_migrates");
  const auto holder = hold("mine");
  Rebuild build(where_, "CREATE INDEX CONCURRENTLY mine_twice ON mine (v)");
  ASSERT_TRUE(becomes_true(connection_, "SELECT to_regclass('mine_twice') IS NOT NULL"));
  auto limited = connect(where_.with("user", "reindex_migrates").with("password", "till"));
  auto options = bounded();
  options.lock_budget = seconds(1);
  options.statement_timeout = seconds(3);
  const auto file =
      make_outside("001_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS mine_twice ON mine (v);");
  try {
    (void)bring_up(limited, {file}, options);
    ADD_FAILURE() << "it was not waited for";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::lock) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("pid " + std::to_string(build.pid())));
  }
  EXPECT_TRUE(build.under_way());
  holder->exec("COMMIT", soon());
  EXPECT_NO_THROW(build.end());
  EXPECT_EQ(bring_up(limited, {file}, options).size(), 1U);
  EXPECT_EQ(invalid(), "");
}

TEST_F(MigrateReindexTest, ADropThatWaitsGivesWayToABuildBegunInTheLastMoment) {
  leave_leftovers("REINDEX INDEX CONCURRENTLY big_a", "big");
  std::unique_ptr<pg::Connection> holder;
  std::unique_ptr<Rebuild> rebuild;
  auto options = bounded();
  options.lock_budget = seconds(20);
  std::future<void> letting_go;
  options.before_step = [&](std::string_view what) {
    if (what != "drop invalid index") return;
    auto looker = connect(where_);
    holder = hold("big");
    rebuild = std::make_unique<Rebuild>(where_, "REINDEX INDEX CONCURRENTLY big_b");
    EXPECT_TRUE(becomes_true(looker, "SELECT to_regclass('big_b_ccnew') IS NOT NULL"));
    letting_go = std::async(std::launch::async, [&] {
      std::this_thread::sleep_for(seconds(3));
      holder->exec("COMMIT", soon());
    });
  };
  EXPECT_EQ(reindex("REINDEX INDEX CONCURRENTLY big_a;", options).size(), 1U);
  letting_go.get();
  ASSERT_TRUE(rebuild != nullptr);
  EXPECT_NO_THROW(rebuild->end());
  EXPECT_EQ(invalid(), "");
}

}  // namespace
}  // namespace pantryd::migrate
