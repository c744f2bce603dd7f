// What a session keeps from one borrower to the next: the statements prepared in it, and nothing
// else; and what other threads may know of it.
#include <gmock/gmock.h>
#include <libpq-fe.h>

#include <atomic>
#include <thread>

#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::pg {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using namespace testing_support;

struct Trace {
  const char* leave;  ///< what a borrower does
  const char* look;   ///< what the next one sees of it
  const char* clean;  ///< what he should see
};

constexpr Trace kTraces[] = {
    {"SET work_mem = '5MB'", "SHOW work_mem", "4MB"},
    {"SET application_name = 'mine'", "SHOW application_name", "pantryd"},
    {"SET default_transaction_read_only = on", "SHOW default_transaction_read_only", "off"},
    {"SET client_encoding = 'LATIN1'", "SHOW client_encoding", "UTF8"},
    {"SELECT set_config('work_mem', '5MB', false)", "SHOW work_mem", "4MB"},
    {"UPDATE pg_settings SET setting = '5120' WHERE name = 'work_mem'", "SHOW work_mem", "4MB"},
    {"SET ROLE pg_monitor", "SELECT current_user = session_user", "t"},
    {"SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user = 'pg_monitor'", "f"},
    {"LISTEN news", "SELECT count(*) FROM pg_listening_channels()", "0"},
    {"DECLARE held CURSOR WITH HOLD FOR SELECT 1",
     "SELECT count(*) FROM pg_cursors WHERE name = 'held'", "0"},
    {"SELECT pg_advisory_lock(77)",
     "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()", "0"},
    {"CREATE TEMP TABLE left_over (a int)", "SELECT to_regclass('left_over') IS NULL", "t"},
    {"CREATE TEMP TABLE left_over AS SELECT 1", "SELECT to_regclass('left_over') IS NULL", "t"},
    {"SELECT 1 AS a INTO TEMP left_over", "SELECT to_regclass('left_over') IS NULL", "t"},
    {"DO $$ BEGIN PERFORM set_config('work_mem', '5MB', false); END $$", "SHOW work_mem", "4MB"},
    {"PREPARE his AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'his'",
     "0"},
};

void leave_plainly(Connection& connection, const std::string& sql) {
  connection.exec(sql, soon());
}
void leave_cached(Connection& connection, const std::string& sql) {
  connection.exec_cached(sql, soon());
}
void leave_by_name(Connection& connection, const std::string& sql) {
  connection.prepare("step", sql, soon());
  connection.exec_prepared("step", Params(), soon());
}
void leave_unread(Connection& connection, const std::string& sql) {
  connection.send(sql, Params());
  while (!connection.flush()) continue;
}
void leave_in_a_script(Connection& connection, const std::string& sql) {
  connection.exec_script("BEGIN;" + sql + ";COMMIT;BEGIN;SELECT 1", soon());
}

class TraceTest : public testing::TestWithParam<Trace> {};

TEST_P(TraceTest, TrackedRemovesTheTraceWhicheverWayItWasLeft) {
  const auto& trace = GetParam();
  for (const auto leave :
       {leave_plainly, leave_cached, leave_by_name, leave_unread, leave_in_a_script}) {
    auto connection = connect({.prepared = Prepared::named});
    leave(connection, trace.leave);
    ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
    EXPECT_EQ(one(connection, trace.look), trace.clean);
    EXPECT_FALSE(connection.session_changed());
  }
}

TEST_P(TraceTest, WithoutAResetTheTraceIsThere) {
  auto connection = connect();
  connection.exec(GetParam().leave, soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::never));
  EXPECT_NE(one(connection, GetParam().look), GetParam().clean);
}

INSTANTIATE_TEST_SUITE_P(Left, TraceTest, testing::ValuesIn(kTraces),
                         [](const auto& trace) { return std::to_string(trace.index); });

/// What the server says this session ran last.
std::string last_query_of(Connection& watcher, const Connection& watched) {
  return std::string(watcher
                         .exec("SELECT query FROM pg_stat_activity WHERE pid = $1",
                               Params::of(watched.backend_pid()), soon())
                         .text(0, 0));
}

TEST(ResetTest, ACleanSessionGoesBackWithoutARoundTrip) {
  auto connection = connect();
  auto watcher = connect();
  make_table(watcher, "reset_clean");
  for (const char* sql : {"SELECT 1", "INSERT INTO reset_clean VALUES (2)", "BEGIN", "COMMIT",
                          "SELECT pg_advisory_xact_lock(1)", "SHOW work_mem"}) {
    connection.exec(sql, soon());
    EXPECT_FALSE(connection.session_changed()) << sql;
  }
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(last_query_of(watcher, connection), "SHOW work_mem");
  ASSERT_TRUE(connection.make_idle(soon(), Reset::always));
  EXPECT_THAT(last_query_of(watcher, connection), HasSubstr("DISCARD TEMP"));
}

TEST(ResetTest, AnOpenTransactionIsRolledBackInTheSameRoundTrip) {
  auto connection = connect();
  auto watcher = connect();
  for (const bool fails : {false, true}) {
    connection.exec("BEGIN", soon());
    connection.exec("SET work_mem = '5MB'", soon());
    if (fails) {
      EXPECT_EQ(code_of([&] { connection.exec("SELECT 1/0", soon()); }), "22012");
    }
    ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
    EXPECT_TRUE(connection.idle());
    const auto query = last_query_of(watcher, connection);
    EXPECT_EQ(query.substr(0, 9), "ROLLBACK;");
    EXPECT_THAT(query, HasSubstr("DISCARD TEMP"));
  }
}

TEST(ResetTest, SettingsGivenAtTheConnectAreInForceAgain) {
  auto connection = connect({.application_name = "till 4",
                             .settings = {{"work_mem", "3MB"}, {"role", "pg_monitor"}},
                             .stop = nullptr});
  ASSERT_EQ(one(connection, "SELECT current_user"), "pg_monitor");
  connection.exec_script("SET work_mem = '5MB'; SET application_name = 'x'; RESET ROLE;", soon());
  connection.exec("SET ROLE NONE", soon());
  ASSERT_EQ(one(connection, "SELECT current_user = 'pg_monitor'"), "f");
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(one(connection, "SHOW work_mem"), "3MB");
  EXPECT_EQ(one(connection, "SHOW application_name"), "till 4");
  EXPECT_EQ(one(connection, "SELECT current_user"), "pg_monitor");
}

TEST(ResetTest, PreparedStatementsStayAndStayKnown) {
  auto connection = connect();
  connection.exec_cached("SELECT 7", soon());
  connection.prepare("own", "SELECT 8", soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::always));
  connection.exec_cached("SELECT 7", soon());
  EXPECT_EQ(executions(connection, "SELECT 7"), 2);
  EXPECT_EQ(connection.exec_prepared("own", Params(), soon()).i64(0, 0), 8);
}

TEST(ResetTest, WhatAFunctionChangedInsideOnlyAlwaysRestores) {
  auto connection = connect();
  connection.exec_script(
      "CREATE OR REPLACE FUNCTION sneaks() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM set_config('work_mem', '5MB', false); RETURN 1; END $$",
      soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  connection.exec("SELECT sneaks()", soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(one(connection, "SHOW work_mem"), "5MB");
  ASSERT_TRUE(connection.make_idle(soon(), Reset::always));
  EXPECT_EQ(one(connection, "SHOW work_mem"), "4MB");
}

TEST(ResetTest, AProcedureThatFailsAfterItsCommitIsNotMissed) {
  auto connection = connect();
  connection.exec_script(
      "CREATE OR REPLACE PROCEDURE fails_late() LANGUAGE plpgsql AS $$ BEGIN "
      "SET work_mem = '5MB'; COMMIT; RAISE EXCEPTION 'late'; END $$",
      soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(code_of([&] { connection.exec("CALL fails_late()", soon()); }), "P0001");
  ASSERT_EQ(one(connection, "SHOW work_mem"), "5MB");
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(one(connection, "SHOW work_mem"), "4MB");
}

TEST(ResetTest, WhatNoResetUndoesEndsTheConnection) {
  for (const char* sql : {"LOAD 'plpgsql'", "SELECT setseed(0.5)"}) {
    auto connection = connect();
    connection.exec(sql, soon());
    EXPECT_TRUE(connection.make_idle(soon(), Reset::never)) << sql;
    EXPECT_FALSE(connection.make_idle(soon(), Reset::tracked)) << sql;
    EXPECT_FALSE(connection.make_idle(soon(), Reset::always)) << sql;
  }
}

TEST(ResetTest, ARunningStatementIsCancelledFirst) {
  // The cancel has two seconds; a machine that is busier than that makes it end the connection,
  // which is right, too, and not what this is about.
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto connection = connect();
    connection.send("SELECT set_config('work_mem', '5MB', false), pg_sleep(60)", Params());
    while (!connection.flush()) continue;
    if (!connection.make_idle(soon(), Reset::tracked)) continue;
    EXPECT_EQ(one(connection, "SHOW work_mem"), "4MB");
    return;
  }
  FAIL() << "no cancel was done in time";
}

TEST(ResetTest, APipelineThatWasLeftOnIsEnded) {
  auto connection = connect();
  ASSERT_EQ(PQenterPipelineMode(connection.native()), 1);
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(one(connection, "SELECT 7"), "7");
}

TEST(ResetTest, AResetThatFailsEndsTheConnection) {
  auto connection = connect();
  connection.exec("SET work_mem = '5MB'", soon());
  auto other = connect();
  other.exec("SELECT pg_terminate_backend($1)", Params::of(connection.backend_pid()), soon());
  ASSERT_TRUE(within(seconds(20), [&] {
    return other
        .exec("SELECT 1 FROM pg_stat_activity WHERE pid = $1", Params::of(connection.backend_pid()),
              soon())
        .empty();
  }));
  EXPECT_FALSE(connection.make_idle(soon(), Reset::tracked));
}

TEST(ResetTest, OnAStandbyItWorksToo) {
  const auto standby = shared_sandbox().standby();
  auto connection = Connection::connect(standby, soon());
  connection.exec("SET work_mem = '5MB'", soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(one(connection, "SHOW work_mem"), "4MB");
}

TEST(ResetTest, NotificationsOfTheLastBorrowerAreDropped) {
  auto connection = connect();
  auto other = connect();
  connection.exec("LISTEN news", soon());
  for (int i = 0; i < 10; ++i) other.exec("NOTIFY news, 'x'", soon());
  connection.exec("SELECT 1", soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_EQ(PQnotifies(connection.native()), nullptr);
  other.exec("NOTIFY news, 'x'", soon());
  connection.exec("SELECT 1", soon());
  EXPECT_EQ(PQnotifies(connection.native()), nullptr);
}

TEST(ResetTest, AFloodOfNotificationsEndsTheConnection) {
  auto connection = connect();
  auto other = connect();
  connection.exec("LISTEN news", soon());
  other.exec("SELECT pg_notify('news', g::text) FROM generate_series(1, 10001) g", soon());
  connection.exec("SELECT 1", soon());
  EXPECT_FALSE(connection.make_idle(soon(), Reset::tracked));
}

TEST(StatementSlotServerTest, AnotherThreadReadsWhatRunsAndNeverAPassword) {
  auto connection = connect();
  const auto slot = connection.statement_slot();
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over) EXPECT_THAT(slot->text(), Not(HasSubstr("hunter2")));
  });
  for (int i = 0; i < 200; ++i) {
    connection.exec_cached("SELECT 1", soon());
    connection.exec("SELECT 'hunter2'", soon());
  }
  connection.exec("CREATE ROLE slot_test PASSWORD 'hunter2'", soon());
  EXPECT_EQ(slot->text(), "CREATE ROLE slot_test PASSWORD '***'");
  connection.exec("DROP ROLE slot_test", soon());
  over = true;
  reader.join();
}

TEST(StatementSlotServerTest, TellsTheTextOfPreparedStatementsAndTheNameOfUnknownOnes) {
  auto connection = connect();
  const auto slot = connection.statement_slot();
  connection.prepare("step", "SELECT 8", soon());
  connection.exec_cached("SELECT 7", soon());
  EXPECT_EQ(slot->text(), "SELECT 7");
  connection.exec_prepared("step", Params(), soon());
  EXPECT_EQ(slot->text(), "SELECT 8");
  connection.exec_script("PREPARE his AS SELECT 9", soon());
  connection.exec_prepared("his", Params(), soon());
  EXPECT_EQ(slot->text(), "prepared statement his");
}

TEST(StatementSlotServerTest, IsEmptyForTheNextBorrowerAndOutlivesTheConnection) {
  std::shared_ptr<const StatementSlot> slot;
  {
    auto connection = connect();
    slot = connection.statement_slot();
    connection.exec("SET work_mem = '5MB'", soon());
    ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
    EXPECT_EQ(slot->text(), "");
    connection.exec("SELECT 7", soon());
  }
  EXPECT_EQ(slot->text(), "SELECT 7");
}

bool wanted(const std::string& attributes, const Conninfo& where, const char* sql = "SELECT 1") {
  auto connection = Connection::connect(where.with("target_session_attrs", attributes), soon());
  connection.exec(sql, soon());
  return connection.role_still_wanted();
}

TEST(RoleTest, AServerThatIsWhatWasAskedForIsStillWanted) {
  const auto primary = shared_sandbox().primary();
  const auto standby = shared_sandbox().standby();
  for (const char* each : {"", "any", "read-write", "primary", "prefer-standby"}) {
    EXPECT_TRUE(wanted(each, primary)) << each;
  }
  for (const char* each : {"", "any", "read-only", "standby", "prefer-standby"}) {
    EXPECT_TRUE(wanted(each, standby)) << each;
  }
}

TEST(RoleTest, OneThatBecameReadOnlyIsWantedByThoseOnlyWhoAskedForThePrimary) {
  const auto primary = shared_sandbox().primary();
  const auto* const read_only = "SET default_transaction_read_only = on";
  EXPECT_FALSE(wanted("read-write", primary, read_only));
  EXPECT_TRUE(wanted("primary", primary, read_only));
  EXPECT_TRUE(wanted("any", primary, read_only));
}

TEST(RoleTest, TheAnswerIsThatOfTheServerAfterAReset) {
  const auto primary = shared_sandbox().primary();
  auto connection = Connection::connect(primary.with("target_session_attrs", "read-write"), soon());
  connection.exec("SET default_transaction_read_only = on", soon());
  ASSERT_TRUE(connection.make_idle(soon(), Reset::tracked));
  EXPECT_TRUE(connection.role_still_wanted());
}

// The last one: it ends the standby of this binary.
TEST(RoleTest, APromotedStandbyIsNoLongerWantedByWhoAskedForAStandby) {
  const auto where = shared_sandbox().standby();
  auto as_standby = Connection::connect(where.with("target_session_attrs", "standby"), soon());
  auto as_read_only = Connection::connect(where.with("target_session_attrs", "read-only"), soon());
  auto as_any = Connection::connect(where, soon());
  as_any.exec("SELECT pg_promote(true, 60)", Deadline::in(seconds(90)));
  for (auto* each : {&as_standby, &as_read_only, &as_any}) each->exec("SELECT 1", soon());
  EXPECT_FALSE(as_standby.role_still_wanted());
  EXPECT_FALSE(as_read_only.role_still_wanted());
  EXPECT_TRUE(as_any.role_still_wanted());
}

}  // namespace
}  // namespace pantryd::pg
