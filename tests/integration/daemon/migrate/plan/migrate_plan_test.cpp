// What a plan tells of locks is the truth of the manual, and what of a plan cannot be tried is
// said.
#include "tests/support/migrate_plan.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAreArray;
using namespace testing_support;

constexpr const char* kShop = R"(
CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price int);
CREATE INDEX item_price ON item (price);
CREATE TABLE sold (id int PRIMARY KEY, item_id int);
CREATE VIEW names AS SELECT name FROM item;
CREATE MATERIALIZED VIEW cheap AS SELECT id FROM item WHERE price < 10;
CREATE UNIQUE INDEX cheap_id ON cheap (id);
CREATE SEQUENCE ticket;
CREATE TABLE event (at int, what text) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10);
CREATE TABLE event_2 (at int, what text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
ALTER TABLE item ADD CONSTRAINT item_price_check CHECK (price >= 0) NOT VALID;
INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 100) i;
ANALYZE;
)";

pg::Conninfo shop(const std::string& name) {
  return database_with(name, kShop);
}

using Locks = std::vector<std::string>;

Locks locks_in(const PlannedStatement& statement) {
  Locks out;
  for (const auto& lock : statement.locks) {
    if (lock.is_new) continue;
    out.push_back(std::string(to_string(lock.mode)) + " " + lock.relation);
  }
  return out;
}

struct Case {
  const char* sql;
  Locks wanted;                ///< as the manual has them
  bool all_documented = true;  ///< false: the tree alone does not tell all of them
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {"ALTER TABLE item ADD COLUMN note text", {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE item DROP COLUMN price CASCADE",
       {"ACCESS EXCLUSIVE item", "ACCESS EXCLUSIVE cheap"},
       false},
      {"ALTER TABLE item ALTER price SET DEFAULT 3", {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE item ALTER price SET NOT NULL", {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE item ALTER price SET STATISTICS 50", {"SHARE UPDATE EXCLUSIVE item"}},
      {"ALTER TABLE item SET (fillfactor = 80)", {"SHARE UPDATE EXCLUSIVE item"}},
      {"ALTER TABLE item VALIDATE CONSTRAINT item_price_check", {"SHARE UPDATE EXCLUSIVE item"}},
      {"ALTER TABLE item ADD CONSTRAINT cheap CHECK (price < 500) NOT VALID",
       {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE sold ADD CONSTRAINT sold_item FOREIGN KEY (item_id) REFERENCES item",
       {"SHARE ROW EXCLUSIVE sold", "SHARE ROW EXCLUSIVE item"}},
      {"ALTER TABLE item DISABLE TRIGGER USER", {"SHARE ROW EXCLUSIVE item"}},
      {"ALTER TABLE item ENABLE ROW LEVEL SECURITY", {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE item RENAME TO goods", {"ACCESS EXCLUSIVE item"}},
      {"ALTER TABLE item RENAME COLUMN price TO cost", {"ACCESS EXCLUSIVE item"}},
      {"ALTER INDEX item_price RENAME TO item_cost", {"SHARE UPDATE EXCLUSIVE item_price"}},
      {"ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM (10) TO (20)",
       {"SHARE UPDATE EXCLUSIVE event", "ACCESS EXCLUSIVE event_2"}},
      {"ALTER TABLE event DETACH PARTITION event_1",
       {"ACCESS EXCLUSIVE event", "ACCESS EXCLUSIVE event_1"}},
      {"CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM (30) TO (40)",
       {"ACCESS EXCLUSIVE event"}},
      {"CREATE TABLE bill (id int, item_id int REFERENCES item)", {"SHARE ROW EXCLUSIVE item"}},
      {"CREATE TABLE copied AS SELECT * FROM item", {"ACCESS SHARE item"}},
      {"CREATE INDEX item_name ON item (name)", {"SHARE item"}},
      {"DROP INDEX item_price", {"ACCESS EXCLUSIVE item"}},
      {"REINDEX TABLE sold", {"SHARE sold", "ACCESS EXCLUSIVE sold_pkey"}, false},
      {"DROP TABLE sold", {"ACCESS EXCLUSIVE sold"}},
      {"TRUNCATE sold", {"ACCESS EXCLUSIVE sold"}},
      {"CREATE TRIGGER t AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION noted()",
       {"SHARE ROW EXCLUSIVE item"}},
      {"CREATE RULE r AS ON DELETE TO sold DO INSTEAD NOTHING", {"ACCESS EXCLUSIVE sold"}},
      {"CREATE POLICY p ON item USING (true)", {"ACCESS EXCLUSIVE item"}},
      {"COMMENT ON COLUMN item.price IS 'with tax'", {"SHARE UPDATE EXCLUSIVE item"}},
      {"CREATE STATISTICS item_s ON name, price FROM item", {"SHARE UPDATE EXCLUSIVE item"}},
      {"ALTER SEQUENCE ticket INCREMENT 2", {"SHARE ROW EXCLUSIVE ticket"}},
      {"INSERT INTO sold VALUES (1, 1)", {"ROW EXCLUSIVE sold"}},
      {"UPDATE item SET price = 3 WHERE id = 3", {"ROW EXCLUSIVE item"}},
      {"DELETE FROM sold WHERE id = 1", {"ROW EXCLUSIVE sold"}},
      {"SELECT * FROM names", {"ACCESS SHARE names", "ACCESS SHARE item"}, false},
      {"SELECT * FROM item FOR UPDATE", {"ROW SHARE item"}},
      {"LOCK TABLE item IN EXCLUSIVE MODE", {"EXCLUSIVE item"}},
      {"REFRESH MATERIALIZED VIEW CONCURRENTLY cheap",
       {"EXCLUSIVE cheap", "ACCESS SHARE item"},
       false},
      {"REFRESH MATERIALIZED VIEW cheap", {"ACCESS EXCLUSIVE cheap", "ACCESS SHARE item"}, false},
      {"CLUSTER item USING item_pkey", {"ACCESS EXCLUSIVE item"}},
      {"ANALYZE item", {"SHARE UPDATE EXCLUSIVE item"}},
      {"DROP VIEW names", {"ACCESS EXCLUSIVE names"}},
      {"ALTER TABLE sold SET SCHEMA information_schema", {"ACCESS EXCLUSIVE sold"}},
  };
  return list;
}

TEST(MigratePlanTest, TheLocksOfEachKindOfStatementAreThoseOfTheManual) {
  const auto where = shop("plan_modes");
  for (const auto& each : cases()) {
    SCOPED_TRACE(each.sql);
    const auto plan = make_plan(where, {make("001_x", std::string(each.sql) + ";")}, calm());
    const auto& statement = plan.files.at(0).statements.at(0);
    EXPECT_EQ(statement.outcome, Outcome::tried) << statement.reason;
    EXPECT_THAT(locks_in(statement), UnorderedElementsAreArray(each.wanted));
    for (const auto& lock : statement.locks) EXPECT_TRUE(lock.seen);
  }
}

TEST(MigratePlanTest, WithoutATryTheDocumentedLocksAreTold) {
  const auto where = shop("plan_documented");
  auto options = calm();
  options.try_it = false;
  for (const auto& each : cases()) {
    SCOPED_TRACE(each.sql);
    const auto plan = make_plan(where, {make("001_x", std::string(each.sql) + ";")}, options);
    const auto& statement = plan.files.at(0).statements.at(0);
    EXPECT_EQ(statement.outcome, Outcome::not_tried);
    if (each.all_documented) {
      EXPECT_THAT(locks_in(statement), UnorderedElementsAreArray(each.wanted));
    } else {
      EXPECT_THAT(each.wanted, IsSupersetOf(locks_in(statement)));
      EXPECT_THAT(locks_in(statement), Not(IsEmpty()));
    }
    for (const auto& lock : statement.locks) EXPECT_FALSE(lock.seen);
  }
}

/// The plan of one file whose statements cannot all be tried: outcome and reason of each.
std::vector<std::string> told(const Plan& plan) {
  std::vector<std::string> out;
  for (const auto& file : plan.files) {
    for (const auto& each : file.statements) {
      out.push_back(std::string(to_string(each.outcome)) + ": " + each.reason);
    }
  }
  return out;
}

TEST(MigratePlanTest, AFileWithoutATransactionIsTriedWhereThatIsPossible) {
  const auto where = shop("plan_outside");
  const auto plan = make_plan(where,
                              {make_outside("001_x",
                                            "CREATE INDEX CONCURRENTLY a ON item (name);\n"
                                            "VACUUM item;\n"
                                            "ALTER SYSTEM SET work_mem = '8MB';\n"
                                            "DROP INDEX CONCURRENTLY item_price;\n"
                                            "REINDEX INDEX CONCURRENTLY item_pkey;\n"
                                            "ALTER TABLE item ADD COLUMN note text;")},
                              calm());
  EXPECT_FALSE(plan.files[0].in_transaction);
  EXPECT_THAT(told(plan),
              ElementsAre(HasSubstr("not_tried: it cannot run in a transaction"),
                          HasSubstr("not_tried: it cannot run in a transaction"),
                          HasSubstr("not_tried: it cannot run in a transaction"),
                          HasSubstr("not_tried: it cannot run in a transaction"),
                          HasSubstr("not_tried: it cannot run in a transaction"), "tried: "));
  EXPECT_THAT(locks_in(plan.files[0].statements[0]), ElementsAre("SHARE UPDATE EXCLUSIVE item"));
  EXPECT_THAT(locks_in(plan.files[0].statements[1]), ElementsAre("SHARE UPDATE EXCLUSIVE item"));
  EXPECT_THAT(locks_in(plan.files[0].statements[3]), ElementsAre("SHARE UPDATE EXCLUSIVE item"));
}

TEST(MigratePlanTest, WhatUpWouldRefuseIsAFailureAndNothingBehindItIsReached) {
  const auto where = shop("plan_fails");
  const auto plan = make_plan(where,
                              {make("001_a", "ALTER TABLE item ADD COLUMN a int;\nSELECT 1 / 0;"),
                               make("002_b", "ALTER TABLE item ADD COLUMN b int;")},
                              calm());
  EXPECT_THAT(told(plan), ElementsAre("tried: ", HasSubstr("fails: "),
                                      HasSubstr("not_tried: not reached: 001_a.sql:3 fails")));
  const auto vacuum = make_plan(where, {make("001_a", "VACUUM item;")}, calm());
  EXPECT_THAT(told(vacuum), ElementsAre(HasSubstr("fails: it cannot run in a transaction")));
}

TEST(MigratePlanTest, AFileThatNeedsWhatWasNotTriedSaysSo) {
  const auto where = shop("plan_depends");
  const auto plan =
      make_plan(where,
                {make("001_a", "DO $$ BEGIN CREATE TABLE made (a int); END $$;"),
                 make("002_b", "ALTER TABLE made ADD COLUMN b int;\nDROP VIEW names;")},
                calm());
  EXPECT_THAT(told(plan),
              ElementsAre("not_tried: it runs code that nobody looked into",
                          HasSubstr("not_tried: it may depend on 001_a.sql:2, which was not tried"),
                          "tried: "));
  ASSERT_EQ(plan.files[1].statements[0].locks.size(), 1U);
  EXPECT_EQ(plan.files[1].statements[0].locks[0].relation, "made");
  EXPECT_FALSE(plan.files[1].statements[0].locks[0].seen);
}

TEST(MigratePlanTest, ATableThatTheFilesMakeThemselvesIsNew) {
  const auto where = fresh_database("plan_new");
  auto files = embedded_migrations();
  files.resize(6);  // those behind them have code of their own
  const auto plan = make_plan(where, files, calm());
  EXPECT_EQ(plan.files.size(), files.size());
  for (const auto& file : plan.files) {
    for (const auto& statement : file.statements) {
      EXPECT_EQ(statement.outcome, Outcome::tried) << statement.text << ": " << statement.reason;
      EXPECT_THAT(locks_in(statement), IsEmpty()) << statement.text;
    }
  }
  EXPECT_EQ(plan.held.count(), 0) << "nobody else can use what is locked";
}

TEST(MigratePlanTest, ALockThatAnEarlierStatementHoldsIsToldAgain) {
  const auto where = shop("plan_held");
  const auto plan = make_plan(where,
                              {make("001_a",
                                    "ALTER TABLE item ADD COLUMN a int;\n"
                                    "ALTER TABLE item ADD COLUMN b int;"),
                               make("002_b", "ALTER TABLE item ADD COLUMN c int;")},
                              calm());
  const auto& again = plan.files[0].statements[1].locks.at(0);
  EXPECT_EQ(again.mode, LockMode::access_exclusive);
  EXPECT_TRUE(again.held);
  const auto& other_file = plan.files[1].statements[0].locks.at(0);
  EXPECT_EQ(other_file.mode, LockMode::access_exclusive);
  EXPECT_FALSE(other_file.held) << "up commits between the two";
}

TEST(MigratePlanTest, ALockThatIsMadeStrongerIsTold) {
  const auto where = shop("plan_stronger");
  const auto plan = make_plan(
      where, {make("001_a", "SELECT count(*) FROM item;\nALTER TABLE item ADD COLUMN a int;")},
      calm());
  EXPECT_THAT(locks_in(plan.files[0].statements[0]), ElementsAre("ACCESS SHARE item"));
  EXPECT_THAT(locks_in(plan.files[0].statements[1]), ElementsAre("ACCESS EXCLUSIVE item"));
}

TEST(MigratePlanTest, AHalfDoneFileShowsTheStatementsThatAreLeft) {
  const auto where = shop("plan_half");
  const auto folder = folder_of(
      "plan_half", {{"001_x.sql",
                     "-- migrate:no-transaction\n-- migrate:up\nCREATE TABLE one (a int);\n"
                     "SELECT 1 / 0;\nCREATE TABLE two (a int);\n"}});
  EXPECT_EQ(pantryd_run({"migrate", "up", "--dir", folder}, where).exit_code, 1);
  const auto plan = make_plan(where, load_folder(folder), calm());
  EXPECT_EQ(plan.files[0].statements_total, 3);
  EXPECT_EQ(plan.files[0].statements_done, 1);
  ASSERT_EQ(plan.files[0].statements.size(), 2U);
  EXPECT_EQ(plan.files[0].statements[0].number, 2);
  EXPECT_EQ(plan.files[0].statements[0].line, 4);
  EXPECT_EQ(plan.files[0].statements[0].outcome, Outcome::fails);
}

TEST(MigratePlanTest, EachStatementHasItsOwnFindings) {
  const auto where = shop("plan_lint");
  auto file = parse_file("001_x.sql",
                         "-- migrate:allow drop-column because nobody reads it\n-- migrate:up\n"
                         "ALTER TABLE item DROP COLUMN name CASCADE; DROP TABLE sold;\n"
                         "CREATE INDEX a ON item (price);\n");
  const auto plan = make_plan(where, {file}, calm());
  const auto rules = [&](std::size_t which) {
    std::vector<std::string> out;
    for (const auto& each : plan.files[0].statements.at(which).findings) out.push_back(each.rule);
    return out;
  };
  EXPECT_THAT(rules(0), Contains("drop-cascade"));
  EXPECT_THAT(rules(0), Not(Contains("drop-column"))) << "the file allows it";
  EXPECT_THAT(rules(0), Not(Contains("drop-table")));
  EXPECT_THAT(rules(1), Contains("drop-table"));
  EXPECT_THAT(rules(2), Contains("add-index-not-concurrent"));
}

TEST(MigratePlanTest, TheCommandPrintsADocumentAndATable) {
  const auto where = shop("plan_command");
  const auto folder =
      folder_of("plan_command", {{"001_x.sql", "-- migrate:up\nDROP TABLE sold;\n"},
                                 {"002_y.sql", "-- migrate:up\nDROP VIEW names;\n"}});
  const auto out = pantryd_run({"migrate", "plan", "--dir", folder, "--json"}, where);
  ASSERT_EQ(out.exit_code, 0) << out.output;
  const auto json = nlohmann::json::parse(out.output);
  EXPECT_EQ(json["format"], "pantryd.migrate-plan");
  EXPECT_EQ(json["version"], 1);
  const auto& statement = json["files"][0]["statements"][0];
  EXPECT_EQ(statement["outcome"], "tried");
  EXPECT_EQ(statement["locks"][0]["mode"], "ACCESS EXCLUSIVE");
  EXPECT_EQ(statement["locks"][0]["relation"], "sold");
  EXPECT_EQ(statement["locks"][0]["source"], "seen");
  EXPECT_GT(statement["locks"][0]["bytes"], 0);
  EXPECT_EQ(statement["findings"][0]["rule"], "drop-table");
  const auto to = pantryd_run({"migrate", "plan", "--dir", folder, "--to", "1"}, where);
  EXPECT_THAT(to.output, HasSubstr("001_x.sql: one transaction, 1 statement"));
  EXPECT_THAT(to.output, HasSubstr("ACCESS EXCLUSIVE"));
  EXPECT_THAT(to.output, Not(HasSubstr("002_y")));
  EXPECT_EQ(pantryd_run({"migrate", "plan", "--dir", folder, "--to", "7"}, where).exit_code, 2);
  ASSERT_EQ(pantryd_run({"migrate", "up", "--dir", folder}, where).exit_code, 0);
  const auto nothing = pantryd_run({"migrate", "plan", "--dir", folder}, where);
  EXPECT_EQ(nothing.exit_code, 0);
  EXPECT_EQ(nothing.output, "Nothing is pending.\n");
  write_file_atomically(folder + "/001_x.sql", "-- migrate:up\nDROP TABLE IF EXISTS sold;\n");
  EXPECT_EQ(pantryd_run({"migrate", "plan", "--dir", folder}, where).exit_code, 4);
}

}  // namespace
}  // namespace pantryd::migrate
