// A plan harms nobody: nothing of it is left, nobody waits for it beyond its limits, and what a
// rollback would not undo is not run.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "migrate/plan/trial.h"
#include "migrate/run/session_lock.h"
#include "tests/support/migrate_plan.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace testing_support;

constexpr const char* kShop = R"(
CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price int);
CREATE TABLE bill (id serial PRIMARY KEY, item_id int);
CREATE TABLE ticket (id int GENERATED ALWAYS AS IDENTITY, note text);
CREATE TABLE watched (id int PRIMARY KEY);
CREATE TABLE below (id int REFERENCES item ON DELETE CASCADE);
CREATE VIEW names AS SELECT name FROM item;
CREATE SEQUENCE counter;
CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''counter'')';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM nextval(''counter''); RETURN NULL; END';
CREATE PROCEDURE worked() LANGUAGE plpgsql AS
  'BEGIN PERFORM setval(''counter'', 1000); COMMIT; END';
CREATE TRIGGER t AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TRIGGER t AFTER DELETE ON below FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE item ADD CONSTRAINT item_price_check CHECK (price >= 0) NOT VALID;
INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 1000) i;
INSERT INTO bill (item_id) VALUES (1);
ANALYZE;
)";

pg::Conninfo shop(const std::string& name) {
  return database_with(name, kShop);
}

std::vector<std::string> told(const Plan& plan) {
  std::vector<std::string> out;
  for (const auto& file : plan.files) {
    for (const auto& each : file.statements) {
      out.push_back(std::string(to_string(each.outcome)) + ": " + each.reason);
    }
  }
  return out;
}

TEST(MigratePlanHarmTest, NothingIsLeftBehind) {
  const auto where = shop("plan_left");
  const auto before = dump_of(where, {});
  const std::vector<Migration> files{
      make("001_a",
           "ALTER TABLE item ADD COLUMN note text;\nUPDATE item SET price = 1;\nDROP TABLE below;\n"
           "CREATE TABLE made (id serial, a int);\nINSERT INTO made (a) VALUES (1);\n"
           "INSERT INTO bill (item_id) VALUES (2);\nSELECT setval('counter', 99);\n"
           "TRUNCATE bill RESTART IDENTITY;\nALTER TYPE nothing ADD VALUE 'x';"),
      make_outside("002_b",
                   "CREATE INDEX CONCURRENTLY i ON item (name);\nVACUUM item;\n"
                   "DROP TABLE bill;\nCALL worked();"),
      make("R_c", "CREATE OR REPLACE VIEW names AS SELECT name, id FROM item;")};
  const auto plan = make_plan(where, files, calm());
  EXPECT_THAT(told(plan), Contains("tried: ")) << "a plan that tries nothing leaves nothing";
  EXPECT_EQ(told(plan)[4], "tried: ") << "a sequence that the plan made goes with it";
  EXPECT_EQ(dump_of(where, {}), before);
  auto connection = connect(where);
  EXPECT_TRUE(connection.exec("SELECT to_regnamespace('pantryd') IS NULL", soon()).boolean(0, 0));
  EXPECT_TRUE(becomes_true(connection,
                           "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE "
                           "'pantryd migrate plan%'"));
}

TEST(MigratePlanHarmTest, WhatARollbackDoesNotUndoIsNotRun) {
  const auto where = shop("plan_lasting");
  const std::vector<std::pair<const char*, const char*>> cases{
      {"SELECT setval('counter', 500)", "setval"},
      {"SELECT nextval('counter')", "nextval"},
      {"SELECT pg_catalog.pg_advisory_lock(1)", "pg_advisory_lock"},
      {"SELECT counted()", "counted"},
      {"UPDATE item SET price = counted() WHERE id = 1", "counted"},
      {"WITH a AS (INSERT INTO watched VALUES (1) RETURNING id) SELECT * FROM a", "trigger t"},
      {"DO $$ BEGIN PERFORM setval('counter', 500); END $$", "code that nobody looked into"},
      {"CALL worked()", "code that nobody looked into"},
      {"INSERT INTO bill (item_id) VALUES (1)", "sequence bill_id_seq"},
      {"INSERT INTO ticket (note) VALUES ('x')", "sequence ticket_id_seq"},
      {"INSERT INTO watched VALUES (1)", "trigger t of watched"},
      {"DELETE FROM item WHERE id = 1", "trigger t of below"},
      {"DELETE FROM names", "not an ordinary table"},
      {"ALTER TABLE item ADD COLUMN c bigint DEFAULT nextval('counter')", "nextval"},
      {"COPY item TO '/tmp/pantryd-plan-test'", "outside of the database"},
      {"COPY item TO PROGRAM 'true'", "outside of the database"},
      {"LOAD 'auto_explain'", "code that nobody looked into"},
      {"EXPLAIN ANALYZE INSERT INTO watched VALUES (1)", "trigger t of watched"},
  };
  auto connection = connect(where);
  const std::string state =
      "SELECT last_value || is_called::text || (SELECT last_value FROM bill_id_seq) FROM counter";
  const auto before = std::string(connection.exec(state, soon()).text(0, 0));
  for (const auto& [sql, reason] : cases) {
    SCOPED_TRACE(sql);
    const auto plan = make_plan(where, {make("001_x", std::string(sql) + ";")}, calm());
    const auto& statement = plan.files.at(0).statements.at(0);
    EXPECT_EQ(statement.outcome, Outcome::not_tried);
    EXPECT_THAT(statement.reason, HasSubstr(reason));
  }
  EXPECT_EQ(connection.exec(state, soon()).text(0, 0), before);
}

TEST(MigratePlanHarmTest, AFunctionThatThePlanItselfMadeIsNotTrustedEither) {
  const auto where = shop("plan_made_function");
  const auto plan = make_plan(
      where,
      {make("001_a",
            "CREATE FUNCTION late() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''counter'')';\n"
            "SELECT late();")},
      calm());
  EXPECT_THAT(told(plan), ElementsAre("tried: ", HasSubstr("it calls late()")));
}

TEST(MigratePlanHarmTest, ALargeTableIsNotReadChangedOrRewritten) {
  const auto where = shop("plan_large");
  auto options = calm();
  options.size_max_bytes = 1000;
  const auto plan = make_plan(where,
                              {make("001_a",
                                    "ALTER TABLE item ALTER price TYPE bigint;\n"
                                    "ALTER TABLE item VALIDATE CONSTRAINT item_price_check;\n"
                                    "CREATE INDEX i ON item (name);\n"
                                    "UPDATE item SET price = 1;\n"
                                    "SELECT count(*) FROM item;\n"
                                    "ALTER TABLE item ADD COLUMN r float DEFAULT random();\n"
                                    "ALTER TABLE item SET UNLOGGED;\n"
                                    "CLUSTER item USING item_pkey;\n"
                                    "ALTER TABLE item ADD COLUMN note text;")},
                              options);
  EXPECT_THAT(told(plan),
              ElementsAre(HasSubstr("it would rewrite item ("), HasSubstr("it would read item ("),
                          HasSubstr("it would read item ("),
                          HasSubstr("it would read and change rows of item ("),
                          HasSubstr("it would read item ("), HasSubstr("it would rewrite item ("),
                          HasSubstr("it would rewrite item ("),
                          HasSubstr("it would rewrite item ("), "tried: "));
  const auto& lock = plan.files[0].statements[0].locks.at(0);
  EXPECT_EQ(lock.mode, LockMode::access_exclusive);
  EXPECT_FALSE(lock.seen);
  EXPECT_EQ(lock.rows, 1000);
  EXPECT_THAT(
      told(make_plan(where, {make("001_a", "ALTER TABLE item ALTER price TYPE bigint;")}, calm())),
      ElementsAre("tried: "))
      << "it is the size that decides";
}

TEST(MigratePlanHarmTest, ATableThatSomebodyHoldsIsToldAndAskedForOnlyOnce) {
  const auto where = shop("plan_blocked");
  auto holder = connect(where);
  holder.exec("BEGIN", soon());
  holder.exec("SELECT count(*) FROM item", soon());
  const auto plan = make_plan(where,
                              {make("001_a",
                                    "ALTER TABLE item ADD COLUMN a int;\n"
                                    "ALTER TABLE item ADD COLUMN b int;\n"
                                    "ALTER TABLE bill ADD COLUMN c int;")},
                              calm());
  const auto pid = std::to_string(holder.backend_pid());
  EXPECT_THAT(
      told(plan),
      ElementsAre(HasSubstr("blocked: pid " + pid + " holds ACCESS SHARE on item"),
                  HasSubstr("not_tried: pid " + pid + " holds ACCESS SHARE on item"), "tried: "));
  ASSERT_THAT(plan.blockers, SizeIs(1));
  EXPECT_EQ(plan.blockers[0].who.pid, holder.backend_pid());
  EXPECT_EQ(plan.blockers[0].holds, "ACCESS SHARE on item");
  EXPECT_TRUE(plan.blockers[0].who.age.has_value());
}

TEST(MigratePlanHarmTest, ATableThatIsLockedAgainstAllIsStillWeighed) {
  const auto where = shop("plan_locked");
  auto holder = connect(where);
  holder.exec("BEGIN", soon());
  holder.exec("LOCK TABLE item", soon());
  const auto plan = make_plan(where, {make("001_a", "ALTER TABLE item ADD COLUMN a int;")}, calm());
  EXPECT_THAT(told(plan), ElementsAre(HasSubstr("holds ACCESS EXCLUSIVE on item")));
  EXPECT_GT(plan.files[0].statements[0].locks.at(0).bytes.value_or(0), 0);
}

TEST(MigratePlanHarmTest, AnOldTransactionIsTold) {
  const auto where = shop("plan_old");
  auto old = connect(where);
  old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ", soon());
  old.exec("SELECT count(*) FROM bill", soon());
  auto options = calm();
  options.old_transaction = milliseconds(0);
  const auto plan =
      make_plan(where,
                {make_outside("001_a",
                              "CREATE INDEX CONCURRENTLY i ON item (name);\n"
                              "COMMENT ON TABLE bill IS 'its lock is no hindrance';")},
                options);
  ASSERT_THAT(plan.blockers, SizeIs(1));
  EXPECT_EQ(plan.blockers[0].who.pid, old.backend_pid());
  EXPECT_THAT(plan.blockers[0].holds, HasSubstr("old transaction"));
}

TEST(MigratePlanHarmTest, WhileAnotherRunnerIsAtWorkNothingIsTried) {
  const auto where = shop("plan_runner");
  auto runner = connect(where);
  const StopFlag never;
  const SessionLock lock(runner, milliseconds(1000), never);
  const auto plan = make_plan(where, {make("001_a", "ALTER TABLE item ADD COLUMN a int;")}, calm());
  EXPECT_THAT(told(plan), ElementsAre("not_tried: nothing is tried"));
  EXPECT_THAT(plan.notes, ElementsAre(HasSubstr("runs migrations right now")));
}

TEST(MigratePlanHarmTest, ReadersAreNotKeptWaitingBeyondTheBudget) {
  const auto where = shop("plan_readers");
  std::atomic<bool> done{false};
  std::atomic<int> waited_too_long{0};
  std::atomic<int> read{0};
  std::thread reader([&] {
    auto connection = connect(where);
    // Far above lock timeout and budget together, far below what the file would take.
    connection.exec("SET lock_timeout = '15s'", soon());
    while (!done) {
      try {
        connection.exec("SELECT count(*) FROM item", soon());
        ++read;
      } catch (const pg::PgError&) {
        ++waited_too_long;
      }
    }
  });
  PlanOptions options;
  options.statement_timeout = milliseconds(60'000);
  options.hold_budget = milliseconds(500);
  const auto plan = make_plan(where,
                              {make("001_a",
                                    "SET statement_timeout = 0;\nSET lock_timeout = 0;\n"
                                    "SET idle_in_transaction_session_timeout = 0;\n"
                                    "LOCK TABLE item;\nSELECT pg_sleep(40);\n"
                                    "ALTER TABLE item ADD COLUMN a int;")},
                              options);
  done = true;
  reader.join();
  EXPECT_EQ(waited_too_long, 0);
  EXPECT_GT(read, 0);
  EXPECT_THAT(told(plan)[4], HasSubstr("not_tried: "));
  EXPECT_THAT(told(plan)[5], HasSubstr("not_tried: the 500ms for which the plan may hold locks"));
  EXPECT_THAT(plan.files[0].statements[5].locks, SizeIs(1)) << "told as documented";
}

TEST(MigratePlanHarmTest, TheBudgetIsForAllStatementsTogether) {
  const auto where = shop("plan_budget");
  PlanOptions options;
  options.statement_timeout = milliseconds(60'000);
  options.hold_budget = milliseconds(1'000);
  std::string sql = "LOCK TABLE item;\n";
  for (int i = 0; i < 10; ++i) sql += "SELECT pg_sleep(0.3);\n";
  const auto plan = make_plan(where, {make("001_a", sql)}, options);
  EXPECT_EQ(told(plan).front(), "tried: ");
  EXPECT_THAT(told(plan).back(), HasSubstr("not_tried: the 1s for which the plan may hold locks"));
  // Without a lock that anybody could wait for, the clock does not run.
  const auto free = make_plan(
      where, {make("001_a", "CREATE TABLE made (a int);\n" + sql.substr(sql.find('\n') + 1))},
      options);
  EXPECT_EQ(told(free).back(), "tried: ");
  EXPECT_EQ(free.held.count(), 0);
}

TEST(MigratePlanHarmTest, APlanThatStallsIsEndedByTheServer) {
  const auto where = shop("plan_stalled");
  auto options = calm();
  options.hold_budget = milliseconds(300);
  Look look(where, nullptr);
  Trial trial(where, look, options);
  trial.begin();
  ASSERT_EQ(trial.run("SET idle_in_transaction_session_timeout = 0", {}).outcome, Outcome::tried);
  ASSERT_EQ(trial.run("LOCK TABLE item", {}).outcome, Outcome::tried);
  auto other = connect(where);
  EXPECT_TRUE(becomes_true(other,
                           "SELECT count(*) = 0 FROM pg_locks l JOIN pg_class c ON c.oid = "
                           "l.relation WHERE relname = 'item' AND l.pid <> "
                           "pg_backend_pid()"));
  const auto after = trial.run("SELECT 1", {});
  EXPECT_EQ(after.outcome, Outcome::not_tried);
  EXPECT_THAT(trial.over(), Not(IsEmpty()));
}

}  // namespace
}  // namespace pantryd::migrate
