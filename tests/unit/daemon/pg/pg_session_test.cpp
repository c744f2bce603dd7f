// What a session keeps track of: changed state, prepared statements, the last statement, and
// constants that are hidden.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "pg/conninfo.h"
#include "pg/prepared_cache.h"
#include "pg/redact.h"
#include "pg/session_mark.h"
#include "pg/statement_slot.h"

namespace pantryd::pg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using State = CachedStatement::State;

TEST(SessionMarkTest, TagsThatEndWithTheirTransactionAreClean) {
  for (const char* tag : {"",
                          "SELECT 5",
                          "INSERT 0 1",
                          "UPDATE 12",
                          "DELETE 0",
                          "MERGE 3",
                          "COPY 77",
                          "FETCH 1",
                          "MOVE 0",
                          "SHOW",
                          "EXPLAIN",
                          "BEGIN",
                          "START TRANSACTION",
                          "COMMIT",
                          "ROLLBACK",
                          "SAVEPOINT",
                          "RELEASE",
                          "LOCK TABLE",
                          "TRUNCATE TABLE",
                          "VACUUM",
                          "ANALYZE",
                          "NOTIFY",
                          "SET CONSTRAINTS",
                          "RESET",
                          "UNLISTEN",
                          "DISCARD ALL",
                          "DISCARD SEQUENCES",
                          "DEALLOCATE",
                          "CLOSE CURSOR",
                          "CLOSE CURSOR ALL",
                          "REFRESH MATERIALIZED VIEW"}) {
    EXPECT_EQ(mark_of_tag(tag), Mark::clean) << tag;
  }
}

TEST(SessionMarkTest, EveryOtherTagChangesTheSessionAlsoOnesThatNobodyHasHeardOf) {
  for (const char* tag : {"SET", "LISTEN", "DECLARE CURSOR", "CREATE TABLE", "DO", "CALL",
                          "PREPARE", "ALTER ROLE", "SELECTED", "BEGINNING", "SET CONSTRAINT"}) {
    EXPECT_EQ(mark_of_tag(tag), Mark::changed) << tag;
  }
  EXPECT_EQ(mark_of_tag("LOAD"), Mark::lasting);
}

TEST(SessionMarkTest, FindsTheFunctionsThatChangeASession) {
  for (const char* sql :
       {"SELECT set_config('a.b', $1, false)", "select pg_catalog.SET_CONFIG('a.b','c',false)",
        "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_advisory_lock_shared(1)", "SELECT PG_Try_Advisory_Lock_Shared(1, 2)",
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'enable_seqscan'",
        "SELECT set_limit(0.2)"}) {
    EXPECT_EQ(mark_of_text(sql), Mark::changed) << sql;
  }
}

TEST(SessionMarkTest, FindsTemporaryTablesThatHaveTheTagOfASelect) {
  for (const char* sql : {"CREATE TEMP TABLE t AS SELECT 1", "create temporary table t as select 1",
                          "SELECT 1 AS a INTO TEMP t", "CREATE TABLE pg_temp.t AS SELECT 1",
                          "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1"}) {
    EXPECT_EQ(mark_of_text(sql), Mark::changed) << sql;
  }
}

TEST(SessionMarkTest, CallsAndBlocksAreMarkedByTheirTextAsTheyMayFailWithoutATag) {
  EXPECT_EQ(mark_of_text("CALL nightly()"), Mark::changed);
  EXPECT_EQ(mark_of_text("  do $$ BEGIN END $$"), Mark::changed);
}

TEST(SessionMarkTest, WhatNoResetUndoesLasts) {
  for (const char* sql :
       {"SELECT dblink_connect('a', 'host=b')", "SELECT dblink_connect_u('a', 'host=b')",
        "SELECT pg_create_logical_replication_slot('s', 'test_decoding', true)",
        "SELECT pg_create_physical_replication_slot('s', false, true)",
        "SELECT pg_replication_origin_session_setup('o')", "SELECT pg_backup_start('b')",
        "SELECT pg_start_backup('b', true, false)",
        "SELECT setseed(0.5), set_config('a.b','',f)"}) {
    EXPECT_EQ(mark_of_text(sql), Mark::lasting) << sql;
  }
}

TEST(SessionMarkTest, OrdinaryStatementsAreNotSuspected) {
  for (const char* sql :
       {"", "SELECT 1", "SELECT pg_advisory_xact_lock(1)", "SELECT pg_try_advisory_xact_lock(1)",
        "INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", "SELECT temperature FROM template",
        "SELECT name FROM pg_settings", "SELECT reset_config, offset_config FROM t FOR UPDATE",
        "SELECT attempt FROM my_set_configs", "SELECT pg_advisory_unlock(1)"}) {
    EXPECT_EQ(mark_of_text(sql), Mark::clean) << sql;
  }
}

TEST(SessionMarkTest, TellsWhatATagMeansForPreparedStatements) {
  EXPECT_EQ(prepared_effect_of_tag("PREPARE"), PreparedEffect::one_made);
  EXPECT_EQ(prepared_effect_of_tag("DEALLOCATE"), PreparedEffect::one_dropped);
  EXPECT_EQ(prepared_effect_of_tag("DEALLOCATE ALL"), PreparedEffect::all_dropped);
  EXPECT_EQ(prepared_effect_of_tag("DISCARD ALL"), PreparedEffect::all_dropped);
  for (const char* tag : {"", "DISCARD PLANS", "DELETE 1", "PREPARE TRANSACTION", "SELECT 1"}) {
    EXPECT_EQ(prepared_effect_of_tag(tag), PreparedEffect::none) << tag;
  }
}

TEST(RedactTest, HidesEveryFormOfAStringConstant) {
  EXPECT_EQ(redact("ALTER ROLE x PASSWORD 'hunter2'"), "ALTER ROLE x PASSWORD '***'");
  EXPECT_EQ(redact("SELECT 'a''b', 1"), "SELECT '***', 1");
  EXPECT_EQ(redact(R"(SELECT E'a\'b''c\\', 'd')"), "SELECT E'***', '***'");
  EXPECT_EQ(redact(R"(SELECT e'it\'s', 2)"), "SELECT e'***', 2");
  EXPECT_EQ(redact("SELECT $$it's$$, $tag$ $$ $x$ $tag$, $1"), "SELECT '***', '***', $1");
  EXPECT_EQ(redact("SELECT U&'d\\0061t', B'01', N'x'"), "SELECT U&'***', B'***', N'***'");
  EXPECT_EQ(redact("SELECT 'a'\n  'b'"), "SELECT '***' '***'");
}

TEST(RedactTest, HidesConstantsThatAreCutOff) {
  for (const char* sql : {"ALTER ROLE x PASSWORD 'hunter2", "ALTER ROLE x PASSWORD E'hunter2\\",
                          "ALTER ROLE x PASSWORD $$hunter2", "ALTER ROLE x PASSWORD $a1$hunter2$a1",
                          "ALTER ROLE x PASSWORD 'hunter2''", "ALTER ROLE x PASSWORD \"hunter2"}) {
    EXPECT_THAT(redact(sql), testing::AllOf(Not(HasSubstr("hunter")), HasSubstr("'***'"))) << sql;
  }
}

TEST(RedactTest, KeepsNamesNumbersAndParameters) {
  EXPECT_EQ(redact("UPDATE \"it's\"\"odd\" SET a$b$ = 1.5e3\n\t WHERE id = $12"),
            "UPDATE \"it's\"\"odd\" SET a$b$ = 1.5e3 WHERE id = $12");
}

TEST(RedactTest, CommentsGoAndTheirQuotesDoNotCount) {
  EXPECT_EQ(redact("SELECT 1 -- don't\n, 'hunter2'"), "SELECT 1 , '***'");
  EXPECT_EQ(redact("SELECT /* it's /* nested */ 'hunter2' */ 1, 'hunter2'"), "SELECT 1, '***'");
  EXPECT_EQ(redact("SELECT 1 /* 'hunter2"), "SELECT 1");
}

TEST(RedactTest, WhenTheEndOfAConstantIsUncertainTheRestGoes) {
  // With standard_conforming_strings = off the quote after the backslash does not end it.
  EXPECT_THAT(redact(R"(ALTER ROLE x PASSWORD 'a\'hunter2' VALID UNTIL 'never')"),
              Not(HasSubstr("hunter")));
}

TEST(RedactTest, APasswordInDoubleQuotesByMistakeIsHidden) {
  EXPECT_EQ(redact("ALTER ROLE \"x\" PassWord \"hunter2\" LOGIN"),
            "ALTER ROLE \"x\" PassWord '***' LOGIN");
}

TEST(StatementSlotTest, TellsTheBeginningOfALongStatementWithoutItsConstants) {
  StatementSlot slot;
  EXPECT_EQ(slot.text(), "");
  slot.record("SELECT '" + std::string(500, 'x') + "'");
  EXPECT_EQ(slot.text(), "SELECT '***'...");
  slot.record("SELECT 1");
  EXPECT_EQ(slot.text(), "SELECT 1");
  slot.clear();
  EXPECT_EQ(slot.text(), "");
}

TEST(StatementSlotTest, ACutDoesNotLeaveHalfACharacter) {
  StatementSlot slot;
  slot.record("SELECT a AS \"" + std::string(146, 'x') + "\xC3\xA9\xC3\xA9\"");
  EXPECT_THAT(slot.text(), testing::EndsWith("xxx..."));
  slot.record("SELECT a AS \"" + std::string(145, 'x') + "\xC3\xA9\xC3\xA9\"");
  EXPECT_THAT(slot.text(), testing::EndsWith("xxx\xC3\xA9..."));
}

TEST(StatementSlotTest, AReaderOnAnotherThreadSeesWholeStatementsOnly) {
  StatementSlot slot;
  const std::string ones = "SELECT " + std::string(120, '1');
  const std::string twos = "SELECT " + std::string(90, '2');
  std::atomic<bool> over = false;
  slot.record(ones);
  std::thread reader([&] {
    while (!over) {
      const auto text = slot.text();
      if (text != ones && text != twos) ADD_FAILURE() << text;
    }
  });
  for (int i = 0; i < 100'000; ++i) slot.record(i % 2 == 0 ? twos : ones);
  over = true;
  reader.join();
}

TEST(PreparedCacheTest, TheNameComesFromTheTextAndFitsAnIdentifier) {
  EXPECT_EQ(statement_name("SELECT 1"), statement_name("SELECT 1"));
  EXPECT_NE(statement_name("SELECT 1"), statement_name("SELECT 2"));
  EXPECT_NE(statement_name("SELECT 12"), statement_name("SELECT 21"));
  EXPECT_LT(statement_name("SELECT 1").size(), 63U);
}

TEST(PreparedCacheTest, TheLeastRecentlyUsedOneIsPushedOutToBeDeallocated) {
  PreparedCache cache(2);
  for (const char* sql : {"a", "b"}) cache.use(sql)->state = State::known;
  (void)cache.use("a");
  cache.use("c")->state = State::known;
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_THAT(cache.take_evicted(10), ElementsAre(statement_name("b")));
  EXPECT_THAT(cache.take_evicted(10), testing::IsEmpty());
  EXPECT_EQ(cache.use("a")->state, State::known);
  EXPECT_EQ(cache.use("b")->state, State::absent);
}

TEST(PreparedCacheTest, OneThatTheServerNeverHadIsNotDeallocated) {
  PreparedCache cache(1);
  (void)cache.use("a");
  (void)cache.use("b");
  EXPECT_EQ(cache.evicted(), 0U);
}

TEST(PreparedCacheTest, AnEvictedOneThatTheServerStillHoldsIsTakenBack) {
  PreparedCache cache(1);
  cache.use("a")->state = State::known;
  cache.use("b")->state = State::known;
  EXPECT_EQ(cache.use("a")->state, State::known);
  EXPECT_THAT(cache.take_evicted(10), ElementsAre(statement_name("b")));
}

TEST(PreparedCacheTest, WhatWaitsToBeDeallocatedIsLimited) {
  PreparedCache cache(1, 2);
  for (const char* sql : {"a", "b", "c"}) cache.use(sql)->state = State::known;
  EXPECT_EQ(cache.use("d"), nullptr);
  EXPECT_EQ(cache.use("c")->state, State::known);
  EXPECT_EQ(cache.take_evicted(1).size(), 1U);
  EXPECT_NE(cache.use("d"), nullptr);
}

TEST(PreparedCacheTest, TwoTextsWithOneNameAreNeverTakenForEachOther) {
  PreparedCache cache(1, 8, [](std::string_view) { return std::string("same"); });
  cache.use("a")->state = State::known;
  EXPECT_EQ(cache.use("b"), nullptr);
  EXPECT_EQ(cache.use("a")->text, "a");
  // Also while the server still holds the first one.
  PreparedCache pair(1, 8, [](std::string_view text) {
    return std::string(text == "between" ? "other" : "same");
  });
  pair.use("a")->state = State::known;
  pair.use("between")->state = State::known;
  EXPECT_EQ(pair.use("b"), nullptr);
  EXPECT_EQ(pair.take_evicted(8).size(), 1U);
  EXPECT_NE(pair.use("b"), nullptr);
}

TEST(PreparedCacheTest, ForgetsAndDoubtsAllOfThem) {
  PreparedCache cache(4);
  const auto held = cache.use("a");
  held->state = State::known;
  cache.doubt_all();
  EXPECT_EQ(held->state, State::doubtful);
  EXPECT_EQ(cache.use("a"), held);
  cache.forget_all();
  EXPECT_EQ(held->state, State::absent);
  EXPECT_NE(cache.use("a"), held);
  cache.drop(held);
  EXPECT_EQ(cache.size(), 1U);
  cache.drop(cache.use("a"));
  EXPECT_EQ(cache.size(), 0U);
}

std::string refusal_of(const std::string& text) {
  try {
    (void)Conninfo::parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.hint(), Not(testing::IsEmpty()));
    EXPECT_THAT(error.render(), Not(HasSubstr("hunter")));
    return error.what();
  }
  return "";
}

TEST(ConninfoTest, HostListsThatCanNeverWorkAreRefused) {
  const std::string it = "the connection string ";
  EXPECT_EQ(refusal_of("host=a,b,c port=1,2"), it + "names 2 ports but 3 hosts");
  EXPECT_EQ(refusal_of("host=a port=1,2"), it + "names 2 ports but 1 host");
  EXPECT_EQ(refusal_of("port=1,2"), it + "names 2 ports but 1 host");
  EXPECT_EQ(refusal_of("hostaddr=10.0.0.1,10.0.0.2 port=1,2,3"), it + "names 3 ports but 2 hosts");
  EXPECT_EQ(refusal_of("host=a,b hostaddr=10.0.0.1"), it + "names 2 hosts but 1 address");
  EXPECT_EQ(refusal_of("host=a hostaddr=10.0.0.1,10.0.0.2"), it + "names 1 host but 2 addresses");
  for (const char* text : {"host=a,,b", "host=a,", "host=,a", "postgresql://a,/shop"}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("an empty entry in its list of hosts: number")) << text;
  }
}

TEST(ConninfoTest, PortsOutOfRangeAreRefusedWithoutRepeatingThem) {
  for (const char* text : {"host=a port=0", "host=a port=65536", "host=a port=-1", "host=a port=x",
                           "host=a port=5432x", "host=a,b port=5432,99999",
                           "postgresql://user:hunter2/word@db1/shop"}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("a port that is not a port number: entry")) << text;
  }
}

TEST(ConninfoTest, WordsThatLibpqDoesNotKnowAreRefused) {
  EXPECT_THAT(refusal_of("host=a target_session_attrs=master"), HasSubstr("target_session_attrs"));
  EXPECT_THAT(refusal_of("host=a sslmode=yes"), HasSubstr("sslmode"));
}

TEST(ConninfoTest, HostListsThatWorkAreTaken) {
  for (const char* text :
       {"", "host=a", "host=a,b", "host=a,b port=5432", "host=a,b port=5432,65535", "port=1",
        "postgresql://a,b:5433/shop", "postgresql://a:1,b/shop", "postgresql://[::1]:5433,b/shop",
        "host=,b hostaddr=10.0.0.1,10.0.0.2", "hostaddr=10.0.0.1,10.0.0.2 port=1,2",
        "host=a,b hostaddr=,10.0.0.2", "host=/run/a,/run/b port=1,2", "service=shop port=5432,5433",
        "host=a target_session_attrs=prefer-standby", "host=a sslmode=verify-full"}) {
    EXPECT_EQ(refusal_of(text), "") << text;
  }
}

}  // namespace
}  // namespace pantryd::pg
