// Statements that are prepared once a connection, and what happens when the server knows better.
#include <gmock/gmock.h>

#include "pg/sqlstate.h"
#include "tests/support/sessions.h"

namespace pantryd::pg {
namespace {

using std::chrono::milliseconds;
using namespace testing_support;

/// Drops the prepared statements without a command tag that would tell.
void drop_behind_our_back(Connection& connection) {
  connection.exec("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", soon());
}

TEST(ExecCachedTest, PreparesOnceAndRunsByNameFromThenOn) {
  auto connection = connect();
  const std::string sql = "SELECT $1::bigint + 1";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(connection.exec_cached(sql, Params::of(i), soon()).i64(0, 0), i + 1);
  }
  EXPECT_EQ(prepared_count(connection), 1);
  EXPECT_EQ(executions(connection, sql), 5);
}

TEST(ExecCachedTest, UnnamedLeavesNothingInTheSession) {
  auto connection = connect({.prepared = Prepared::unnamed});
  EXPECT_EQ(connection.exec_cached("SELECT $1::int", Params::of(7), soon()).i64(0, 0), 7);
  EXPECT_EQ(prepared_count(connection), 0);
}

TEST(ExecCachedTest, TheNumberOfPreparedStatementsIsLimitedOnTheServerToo) {
  auto connection = connect({.statements_max = 4});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40; ++i) {
      const auto sql = "SELECT " + std::to_string(i);
      EXPECT_EQ(connection.exec_cached(sql, soon()).i64(0, 0), i);
    }
    EXPECT_LE(prepared_count(connection), 4 + 16);
  }
}

TEST(ExecCachedTest, InALongTransactionTheNumberIsLimitedAndAllGoesOn) {
  auto connection = connect({.statements_max = 4});
  connection.exec("BEGIN", soon());
  for (int i = 0; i < 200; ++i) {
    const auto sql = "SELECT " + std::to_string(i);
    EXPECT_EQ(connection.exec_cached(sql, soon()).i64(0, 0), i);
  }
  EXPECT_LE(prepared_count(connection), 4 + 64);
  connection.exec("COMMIT", soon());
  for (int i = 0; i < 10; ++i) connection.exec_cached("SELECT 1", soon());
  EXPECT_LE(prepared_count(connection), 4 + 16);
}

TEST(ExecCachedTest, EvictedStatementsThatAreGoneAlreadyDoNoHarm) {
  auto connection = connect({.statements_max = 1});
  for (int i = 0; i < 12; ++i) connection.exec_cached("SELECT " + std::to_string(i), soon());
  const auto gone = statement_name("SELECT 3");
  connection.exec("DO $$ BEGIN EXECUTE 'DEALLOCATE " + gone + "'; END $$", soon());
  for (int i = 12; i < 40; ++i) {
    EXPECT_EQ(connection.exec_cached("SELECT " + std::to_string(i), soon()).i64(0, 0), i);
  }
  EXPECT_LE(prepared_count(connection), 1 + 16);
}

TEST(ExecCachedTest, AStatementWhoseTableChangedIsPreparedAgain) {
  auto connection = connect();
  auto other = connect();
  make_table(other, "cached_stale");
  const std::string sql = "SELECT * FROM cached_stale";
  EXPECT_EQ(connection.exec_cached(sql, soon()).columns(), 1);
  other.exec("ALTER TABLE cached_stale ADD b int", soon());
  EXPECT_EQ(connection.exec_cached(sql, soon()).columns(), 2);
  EXPECT_EQ(connection.exec_cached(sql, soon()).columns(), 2);
  EXPECT_EQ(prepared_count(connection), 1);
}

TEST(ExecCachedTest, InATransactionAChangedTableIsTheCallersErrorAndTheRetryWorks) {
  auto connection = connect();
  auto other = connect();
  make_table(other, "cached_stale");
  const std::string sql = "SELECT * FROM cached_stale";
  connection.exec_cached(sql, soon());
  other.exec("ALTER TABLE cached_stale ADD b int", soon());
  connection.exec("BEGIN", soon());
  EXPECT_EQ(code_of([&] { connection.exec_cached(sql, soon()); }), "0A000");
  connection.exec("ROLLBACK", soon());
  connection.exec("BEGIN", soon());
  EXPECT_EQ(connection.exec_cached(sql, soon()).columns(), 2);
  connection.exec("COMMIT", soon());
  EXPECT_EQ(connection.exec_cached(sql, soon()).columns(), 2);
}

TEST(ExecCachedTest, AStatementThatTheServerLostIsPreparedAgain) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  drop_behind_our_back(connection);
  ASSERT_EQ(prepared_count(connection), 0);
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
  EXPECT_EQ(prepared_count(connection), 1);
}

TEST(ExecCachedTest, InATransactionALostStatementIsTheCallersErrorAndTheRetryWorks) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  drop_behind_our_back(connection);
  connection.exec("BEGIN", soon());
  EXPECT_EQ(code_of([&] { connection.exec_cached("SELECT 7", soon()); }),
            sqlstate::kInvalidStatementName);
  connection.exec("ROLLBACK", soon());
  connection.exec("BEGIN", soon());
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
  connection.exec("COMMIT", soon());
  EXPECT_EQ(prepared_count(connection), 1);
}

TEST(ExecCachedTest, CommandsThatDropStatementsAreNoticedByTheirTag) {
  auto connection = connect();
  const std::string sql = "SELECT 7";
  for (const std::string& drop : {std::string("DISCARD ALL"), std::string("DEALLOCATE ALL"),
                                  "DEALLOCATE " + statement_name(sql)}) {
    connection.exec_cached(sql, soon());
    connection.exec(drop, soon());
    // In a transaction a statement that is not there would cost the transaction.
    connection.exec("BEGIN", soon());
    EXPECT_EQ(connection.exec_cached(sql, soon()).i64(0, 0), 7) << drop;
    connection.exec("COMMIT", soon());
    connection.exec_cached(sql, soon());
    EXPECT_EQ(prepared_count(connection), 1) << drop;
  }
}

TEST(ExecCachedTest, TheyAreNoticedOnTheAsynchronousFaceToo) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  connection.send("DEALLOCATE ALL", Params());
  while (!connection.flush()) continue;
  while (connection.take_result()) continue;
  connection.exec("BEGIN", soon());
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
}

TEST(ExecCachedTest, AfterOneOfTheCallersOwnIsDroppedOursStayPreparedOnce) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  connection.prepare("own", "SELECT 8", soon());
  connection.exec("DEALLOCATE own", soon());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
  EXPECT_EQ(executions(connection, "SELECT 7"), 3);
}

TEST(ExecCachedTest, ADoubtfulOneDoesNotCostATransaction) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  connection.prepare("own", "SELECT 8", soon());
  connection.exec("DEALLOCATE own", soon());
  connection.exec("BEGIN", soon());
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
}

TEST(ExecCachedTest, EvictedStatementsThatAreGoneAlreadyDoNotCostATransaction) {
  auto connection = connect({.statements_max = 1});
  for (int i = 0; i < 12; ++i) connection.exec_cached("SELECT " + std::to_string(i), soon());
  drop_behind_our_back(connection);
  connection.exec("BEGIN", soon());
  for (int i = 12; i < 40; ++i) {
    EXPECT_EQ(connection.exec_cached("SELECT " + std::to_string(i), soon()).i64(0, 0), i);
  }
}

TEST(ExecCachedTest, ANameThatExistsAlreadyIsTakenAsItIs) {
  auto connection = connect();
  connection.prepare(statement_name("SELECT 7"), "SELECT 7", soon());
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
  EXPECT_EQ(executions(connection, "SELECT 7"), 1);
}

TEST(ExecCachedTest, AStatementThatItselfFailsWithTheCodeOfALostOneRunsOnce) {
  auto connection = connect();
  connection.exec_script(
      "DROP SEQUENCE IF EXISTS ran CASCADE; CREATE SEQUENCE ran;"
      "CREATE OR REPLACE FUNCTION runs_a_missing_one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM nextval('ran'); EXECUTE 'EXECUTE no_such_statement'; RETURN 1; END $$",
      soon());
  EXPECT_EQ(code_of([&] { connection.exec_cached("SELECT runs_a_missing_one()", soon()); }),
            sqlstate::kInvalidStatementName);
  EXPECT_EQ(one(connection, "SELECT last_value FROM ran"), "1");
}

TEST(ExecCachedTest, AFailedPrepareIsForgotten) {
  auto connection = connect();
  connection.exec("DROP TABLE IF EXISTS cached_late", soon());
  const std::string sql = "SELECT a FROM cached_late";
  EXPECT_EQ(code_of([&] { connection.exec_cached(sql, soon()); }), sqlstate::kUndefinedTable);
  make_table(connection, "cached_late");
  EXPECT_EQ(connection.exec_cached(sql, soon()).i64(0, 0), 1);
}

TEST(ExecCachedTest, AStatementThatTakesTooLongCanRunAgain) {
  auto connection = connect();
  const std::string sql = "SELECT pg_sleep($1)";
  EXPECT_EQ(code_of([&] {
              connection.exec_cached(sql, Params::of(60), Deadline::in(milliseconds(500)));
            }),
            sqlstate::kQueryCanceled);
  connection.exec_cached(sql, Params::of(0), soon());
  EXPECT_EQ(executions(connection, sql), 2);
}

TEST(ExecCachedTest, InAFailedTransactionTheServersAnswerIsTheCallers) {
  auto connection = connect();
  connection.exec("BEGIN", soon());
  EXPECT_EQ(code_of([&] { connection.exec("SELECT 1/0", soon()); }), "22012");
  EXPECT_EQ(code_of([&] { connection.exec_cached("SELECT 7", soon()); }), "25P02");
  connection.exec_cached("ROLLBACK", soon());
  EXPECT_EQ(connection.exec_cached("SELECT 7", soon()).i64(0, 0), 7);
}

}  // namespace
}  // namespace pantryd::pg
