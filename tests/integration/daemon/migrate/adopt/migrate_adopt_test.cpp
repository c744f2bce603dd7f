// Databases that Knex itself made are taken over: what is recorded, what is proved, what is
// refused, and the way back.
#include <gmock/gmock.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/knex.h"
#include "tests/support/places.h"

namespace pantryd::migrate {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace testing_support;

const std::vector<std::string> kVerify{"migrate", "verify"};

std::vector<std::string> adopt_with(std::vector<std::string> more) {
  more.insert(more.begin(), kAdopt.begin(), kAdopt.end());
  return more;
}

/// All that may not change when an adoption is refused, undone or cut off.
std::string knex_state(const pg::Conninfo& where) {
  return one(where,
             "SELECT (SELECT string_agg(m::text, ' ' ORDER BY id) FROM knex_migrations m) || "
             "(SELECT string_agg(l::text, ' ') FROM knex_migrations_lock l)");
}

/// The schema, both kinds of history aside.
std::string schema_of(const pg::Conninfo& where) {
  return dump_of(where,
                 {"--schema-only", "--exclude-schema=pantryd", "--exclude-table=knex_migrations*"});
}

/// The first lines that differ; empty when the texts are the same.
std::string first_difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto at = static_cast<std::size_t>(
      std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const auto line = at == 0 ? 0 : a.rfind('\n', at - 1) + 1;
  return "- " + a.substr(line, 200) + "\n+ " + b.substr(line, 200);
}

TEST(MigrateAdoptTest, AnAdoptedDatabaseAndAFreshOneHaveTheSameDumpAfterUp) {
  const auto knex = knex_database("dump_knex");
  const auto fresh = fresh_database("dump_fresh");
  EXPECT_THAT(told(pantryd_run(kAdopt, knex)),
              AllOf(StartsWith("0\n"), HasSubstr("scratch database")));
  EXPECT_EQ(pantryd_run({"migrate", "up"}, knex).exit_code, 0);
  EXPECT_EQ(pantryd_run({"migrate", "up"}, fresh).exit_code, 0);
  const auto dump = schema_of(knex);
  EXPECT_EQ(first_difference(dump, schema_of(fresh)), "");
  EXPECT_THAT(dump, AllOf(HasSubstr("CREATE TABLE public.debt_payments"), Not(HasSubstr("knex"))));
  EXPECT_EQ(pantryd_run({"migrate", "status", "--check"}, knex).exit_code, 0);
  EXPECT_EQ(pantryd_run(kVerify, knex).exit_code, 0);
}

TEST(MigrateAdoptTest, HistoryHoldsWhatKnexRecordedAndOurChecksums) {
  const auto where = knex_database("recorded");
  const auto before = knex_state(where);
  ASSERT_EQ(pantryd_run(kAdopt, where).exit_code, 0);
  EXPECT_EQ(knex_state(where), before);
  EXPECT_EQ(one(where,
                "SELECT count(*) FROM pantryd.migrations m JOIN knex_migrations k "
                "ON k.name = m.name || '.js' AND k.batch = m.batch "
                "AND k.migration_time = m.finished_at WHERE m.source = 'knex' "
                "AND m.checksum LIKE 'sha256-v1:%' AND m.state = 'done'"),
            "6");
  const auto again = pantryd_run(kAdopt, where);
  EXPECT_THAT(told(again), StartsWith("0\nThis database is adopted already."));
  EXPECT_EQ(history_rows(where), "6");
}

TEST(MigrateAdoptTest, TheFenceStopsKnexAndUnfencingLetsItPassWithNothingPending) {
  const auto where = knex_database("fenced");
  EXPECT_THAT(told(pantryd_run(adopt_with({"--fence"}), where)), HasSubstr("fenced off"));
  EXPECT_THAT(told(knex_run({"migrate:latest"}, where)),
              AllOf(StartsWith("1\n"), HasSubstr("already locked")));
  EXPECT_EQ(pantryd_run(kVerify, where).exit_code, 0) << "a fence is no drift";
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--fence"}, where)),
              AllOf(StartsWith("0\n"), HasSubstr("already")));
  EXPECT_EQ(pantryd_run({"migrate", "adopt", "--unfence"}, where).exit_code, 0);
  EXPECT_THAT(told(knex_run({"migrate:latest"}, where)),
              AllOf(StartsWith("0\n"), HasSubstr("Already up to date")));
  EXPECT_EQ(pantryd_run(kVerify, where).exit_code, 0);
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--unfence"}, where)),
              StartsWith("0\nThere is no fence"));
  connect(where).exec("DROP TABLE knex_migrations, knex_migrations_lock", soon());
  EXPECT_EQ(pantryd_run(kVerify, where).exit_code, 0) << "Knex's tables may go";
}

TEST(MigrateAdoptTest, OurOwnFenceDoesNotHinderTheAdoptionAndALockThatIsNotOursIsLeftAlone) {
  const auto where = knex_database("whose_lock");
  EXPECT_EQ(pantryd_run({"migrate", "adopt", "--fence"}, where).exit_code, 0);
  connect(where).exec("VACUUM (FREEZE, FULL) knex_migrations_lock", soon());
  EXPECT_EQ(pantryd_run(kAdopt, where).exit_code, 0);
  // Somebody frees the lock behind our back, and a run of Knex that is killed sets it again.
  ASSERT_EQ(knex_run({"migrate:unlock"}, where).exit_code, 0);
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--unfence"}, where)),
              StartsWith("0\nThere is no fence"));
  connect(where).exec("UPDATE knex_migrations_lock SET is_locked = 1 WHERE is_locked = 0", soon());
  for (const auto* what : {"--unfence", "--fence"}) {
    EXPECT_THAT(told(pantryd_run({"migrate", "adopt", what}, where)),
                AllOf(StartsWith("5\n"), HasSubstr("HINT: "), HasSubstr("migrate:unlock")));
  }
  EXPECT_EQ(one(where, "SELECT is_locked FROM knex_migrations_lock"), "1");
  const auto undo = pantryd_run({"migrate", "adopt", "--undo"}, where);
  EXPECT_THAT(told(undo), AllOf(StartsWith("0\n"), HasSubstr("warning: ")));
  EXPECT_EQ(one(where, "SELECT is_locked FROM knex_migrations_lock"), "1");
}

struct HandMade {
  const char* change;
  std::vector<const char*> lines;
};

TEST(MigrateAdoptTest, WhatDiffersIsToldObjectByObjectAndNothingIsRecorded) {
  const std::vector<HandMade> cases{
      {"ALTER TABLE users ADD COLUMN phone text", {"+ column users.phone text after updated_at"}},
      {"ALTER TABLE sales DROP COLUMN notes", {"- column sales.notes text after mpesa_code"}},
      {"ALTER TABLE products ALTER stock SET DEFAULT 5",
       {"- column products.stock integer default 0 after price",
        "+ column products.stock integer default 5 after price"}},
      {"ALTER TABLE users ALTER role SET NOT NULL", {"+ column users.role text not null"}},
      {"ALTER TABLE users ALTER username TYPE varchar(60)",
       {"- column users.username character varying(50)",
        "+ column users.username character varying(60)"}},
      {"DROP INDEX sales_status_index",
       {"- index CREATE INDEX sales_status_index ON public.sales"}},
      {"CREATE INDEX by_hand ON sales (total)", {"+ index CREATE INDEX by_hand ON public.sales"}},
      {"ALTER TABLE sales DROP CONSTRAINT sales_status_check", {"- constraint sales_status_check"}},
      {"ALTER TABLE debts DROP CONSTRAINT debts_sale_id_foreign, ADD CONSTRAINT "
       "debts_sale_id_foreign FOREIGN KEY (sale_id) REFERENCES sales (id) ON DELETE CASCADE",
       {"ON DELETE SET NULL", "ON DELETE CASCADE"}},
      {"CREATE TABLE loyalty (id int)", {"+ table loyalty", "+ column loyalty.id integer"}},
      {"DROP TABLE debt_payments", {"- table debt_payments"}},
      // The same columns in another order are another dump.
      {"ALTER TABLE products DROP COLUMN supplier; ALTER TABLE products ADD COLUMN supplier "
       "varchar(100)",
       {"- column products.supplier character varying(100) after barcode",
        "+ column products.supplier character varying(100) after updated_at"}},
  };
  for (const auto& each : cases) {
    const auto where = knex_database("by_hand");
    connect(where).exec_script(each.change, soon());
    const auto before = knex_state(where);
    const auto result = pantryd_run(kAdopt, where);
    EXPECT_THAT(told(result), AllOf(StartsWith("4\n"), HasSubstr("nothing was recorded\nHINT: ")));
    for (const auto* line : each.lines) EXPECT_THAT(result.output, HasSubstr(line)) << each.change;
    EXPECT_EQ(knex_state(where), before);
    EXPECT_EQ(one(where, "SELECT to_regnamespace('pantryd')"), "") << "not even our schema";
  }
}

TEST(MigrateAdoptTest, OwnersGrantsAndExtensionsAreNoDifferenceAndAreWatchedFromThenOn) {
  const auto where = knex_database("rights");
  auto connection = connect(where);
  connection.exec_script(
      "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk; GRANT SELECT ON users TO clerk; "
      "ALTER TABLE sales OWNER TO clerk; CREATE EXTENSION pg_trgm",
      soon());
  const auto result = pantryd_run(kAdopt, where);
  EXPECT_THAT(told(result), AllOf(StartsWith("0\n"), HasSubstr("warning: no migration makes the "
                                                               "extension pg_trgm")));
  EXPECT_EQ(pantryd_run(kVerify, where).exit_code, 0);
  connection.exec("REVOKE SELECT ON users FROM clerk", soon());
  EXPECT_EQ(pantryd_run(kVerify, where).exit_code, 4);
  connection.exec_script("DROP OWNED BY clerk CASCADE; DROP ROLE clerk", soon());
}

TEST(MigrateAdoptTest, ARunOfKnexThatWasKilledLeavesItsLockAndTheAdoptionRefuses) {
  const auto where = knex_database("killed_knex");
  const auto folder = knex_folder(
      "killed_knex", {{"007_slow.js",
                       "exports.up = (knex) => knex.raw('select pg_sleep(60)');\n"
                       "exports.down = () => {};\nexports.config = { transaction: false };\n"}});
  {
    const Child child(knex_child({"migrate:latest"}, where, folder));
    auto connection = connect(where);
    ASSERT_TRUE(becomes_true(connection,
                             "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = "
                             "current_database() AND query LIKE 'select pg_sleep%')"));
    child.signal(SIGKILL);
  }
  EXPECT_THAT(told(pantryd_run(kAdopt, where)),
              AllOf(StartsWith("5\n"), HasSubstr("Knex holds its migration lock"),
                    HasSubstr("HINT: "), HasSubstr("migrate:unlock")));
  EXPECT_EQ(history_rows(where), "0");
  ASSERT_EQ(knex_run({"migrate:unlock"}, where).exit_code, 0);
  EXPECT_EQ(pantryd_run(kAdopt, where).exit_code, 0);
}

TEST(MigrateAdoptTest, UndoForgetsTheAdoptionAloneAndRefusesOnTopOfLaterMigrations) {
  const auto where = knex_database("undone");
  const auto before = knex_state(where);
  Files files;
  for (const auto& each : embedded_migrations()) {
    if (each.version > 6 || each.kind != Kind::versioned) continue;
    const std::string file = each.name + ".sql";
    files.emplace_back(file, read_file(std::string(places::source_dir) + "/migrations/" + file));
  }
  files.emplace_back(
      "907_more.sql",
      "-- migrate:up\nCREATE TABLE more (x int);\n-- migrate:down\nDROP TABLE more;\n");
  const auto folder = folder_of("undone", files);
  ASSERT_EQ(pantryd_run(adopt_with({"--fence", "--dir", folder}), where).exit_code, 0);
  ASSERT_EQ(pantryd_run({"migrate", "up", "--dir", folder}, where).exit_code, 0);
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--undo"}, where)),
              AllOf(StartsWith("1\n"), HasSubstr("907_more"), HasSubstr("HINT: ")));
  EXPECT_EQ(history_rows(where), "7");
  ASSERT_EQ(pantryd_run({"migrate", "down", "--dir", folder}, where).exit_code, 0);
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--undo"}, where)),
              AllOf(StartsWith("0\n"), HasSubstr("released 006_create_debt_payments_table"),
                    HasSubstr("The fence is gone")));
  EXPECT_EQ(history_rows(where), "0");
  EXPECT_EQ(knex_state(where), before);
  EXPECT_EQ(knex_run({"migrate:latest"}, where).exit_code, 0);
  EXPECT_THAT(told(pantryd_run({"migrate", "adopt", "--undo"}, where)),
              StartsWith("0\nNothing was adopted."));
  EXPECT_EQ(pantryd_run(adopt_with({"--dir", folder}), where).exit_code, 0);
}

TEST(MigrateAdoptTest, UpRefusesADatabaseOfKnexThatNobodyAdopted) {
  const auto where = knex_database("not_adopted");
  EXPECT_THAT(told(pantryd_run({"migrate", "up"}, where)),
              AllOf(StartsWith("1\n"), HasSubstr("HINT: Take it over first: pantryd migrate adopt"),
                    Not(HasSubstr("already exists"))));
  EXPECT_EQ(one(where, "SELECT to_regnamespace('pantryd')"), "");
}

TEST(MigrateAdoptTest, WhatIsNoDatabaseToAdoptIsSaidWithAHint) {
  const auto refusal = [](const pg::Conninfo& where) { return told(pantryd_run(kAdopt, where)); };
  EXPECT_THAT(refusal(fresh_database("neither")),
              AllOf(StartsWith("1\n"), HasSubstr("no table public.knex_migrations"),
                    HasSubstr("HINT: A database that Knex did not make")));
  const auto ours = fresh_database("ours");
  ASSERT_EQ(pantryd_run({"migrate", "up"}, ours).exit_code, 0);
  EXPECT_THAT(refusal(ours), AllOf(StartsWith("1\n"), HasSubstr("pantryd itself migrated"),
                                   HasSubstr("HINT: There is nothing to take over")));
  const auto empty = fresh_database("empty_knex");
  ASSERT_EQ(knex_run({"migrate:list"}, empty).exit_code, 0);
  EXPECT_THAT(refusal(empty), AllOf(StartsWith("1\n"), HasSubstr("knex_migrations is empty"),
                                    HasSubstr("HINT: There is nothing to take over")));
  EXPECT_EQ(pantryd_run({"migrate", "up"}, empty).exit_code, 0) << "an empty table is no obstacle";
  const auto half = knex_database("no_lock_table");
  connect(half).exec("DROP TABLE knex_migrations_lock", soon());
  EXPECT_THAT(refusal(half), AllOf(StartsWith("1\n"), HasSubstr("HINT: Let Knex make")));
  for (const auto& words : std::vector<std::vector<std::string>>{
           {}, {"--from", "rails"}, {"--undo", "--fence"}, {"--unfence", "--undo"}}) {
    std::vector<std::string> all{"migrate", "adopt"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_THAT(told(pantryd_run(all, half)), AllOf(StartsWith("2\n"), HasSubstr("HINT: ")));
  }
}

TEST(MigrateAdoptTest, WhatKnexRanAndNoFileMatchesIsListedAndRefused) {
  const auto where = knex_database("loyal");
  const auto folder = knex_folder("loyal", {{"007_loyalty.js",
                                             "exports.up = (knex) => knex.schema.createTable("
                                             "'loyalty', (t) => { t.integer('points'); });\n"
                                             "exports.down = () => {};\n"}});
  ASSERT_EQ(knex_run({"migrate:latest"}, where, folder).exit_code, 0);
  const auto result = pantryd_run(kAdopt, where);
  EXPECT_THAT(told(result), AllOf(StartsWith("4\n"), HasSubstr("no file  007_loyalty.js"),
                                  HasSubstr("+ table loyalty"), HasSubstr("HINT: ")));
  EXPECT_EQ(history_rows(where), "0");
  // One that changed rows only leaves the same catalogue, and Knex's history would still be lost.
  connect(where).exec("DROP TABLE loyalty", soon());
  EXPECT_THAT(told(pantryd_run(kAdopt, where)),
              AllOf(StartsWith("4\n"), HasSubstr("007_loyalty.js"), Not(HasSubstr("loyalty int"))));
  EXPECT_EQ(history_rows(where), "0");
}

TEST(MigrateAdoptTest, ASchemaOfAnOlderPantrydIsUpgradedInPlace) {
  const auto where = knex_database("older");
  auto connection = connect(where);
  create_history(connection, soon());
  connection.exec_script(
      "ALTER TABLE pantryd.migrations DROP COLUMN source, DROP COLUMN batch; "
      "DROP TABLE pantryd.knex_fence",
      soon());
  EXPECT_EQ(pantryd_run({"migrate", "status"}, where).exit_code, 0);
  EXPECT_EQ(pantryd_run(adopt_with({"--fence"}), where).exit_code, 0);
  EXPECT_EQ(one(where, "SELECT count(*) FROM pantryd.migrations WHERE batch = 1"), "6");
}

TEST(MigrateAdoptTest, TheJsonDocumentHoldsAllOfIt) {
  const auto where = knex_database("as_json");
  connect(where).exec("UPDATE knex_migrations SET migration_time = NULL WHERE id = 2", soon());
  const auto result = pantryd_run(adopt_with({"--fence", "--json"}), where);
  EXPECT_EQ(result.exit_code, 0);
  const auto json = nlohmann::json::parse(result.output);
  EXPECT_EQ(json["format"], "pantryd.migrate-adopt");
  EXPECT_EQ(json["outcome"], "adopted");
  EXPECT_EQ(json["matched"].size(), 6U);
  EXPECT_TRUE(json["matched"][1]["applied_at"].is_null());
  EXPECT_EQ(json["warnings"].size(), 1U);
  EXPECT_EQ(json["fenced"], true);
  EXPECT_EQ(one(where, "SELECT finished_at IS NULL FROM pantryd.migrations WHERE version = 2"),
            "t");
  const auto undo =
      nlohmann::json::parse(pantryd_run({"migrate", "adopt", "--undo", "--json"}, where).output);
  EXPECT_EQ(undo["released"].size(), 6U);
  EXPECT_EQ(undo["unfenced"], true);
}

}  // namespace
}  // namespace pantryd::migrate
