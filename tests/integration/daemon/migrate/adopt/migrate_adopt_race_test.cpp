// Adoptions that are killed, that run into Knex or into each other, and that lack rights: in the
// end history and Knex's table tell the same, or nothing was recorded.
#include <gmock/gmock.h>

#include <csignal>
#include <memory>

#include "tests/support/knex.h"
#include "tests/support/places.h"

namespace pantryd::migrate {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace testing_support;

std::string scratch_left(const pg::Conninfo& where) {
  return one(where,
             "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'pantryd\\_adopt%') + "
             "(SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pantryd\\_adopt%')");
}

TEST(MigrateAdoptRaceTest, AnAdoptionKilledBeforeAnyOfItsStepsLeavesNothingAndTheNextSucceeds) {
  auto arguments = kAdopt;
  arguments.emplace_back("--fence");
  constexpr int kStepsMax = 30;
  const int step = kill_before_each_step(
      arguments, kStepsMax, [] { return knex_database("killed"); },
      [&](const pg::Conninfo& where) {
        EXPECT_EQ(one(where, "SELECT to_regnamespace('pantryd')"), "");
        EXPECT_EQ(one(where, "SELECT is_locked FROM knex_migrations_lock"), "0");
        EXPECT_EQ(one(where, "SELECT count(*) FROM knex_migrations"), "6");
        const auto again = pantryd_run(arguments, where);
        EXPECT_EQ(again.exit_code, 0) << again.output;
        EXPECT_EQ(history_rows(where), "6");
        EXPECT_EQ(scratch_left(where), "0");
      });
  // Scratch database made, used, dropped; BEGIN, lock, compare, three writes, COMMIT.
  EXPECT_EQ(step, 11);
}

TEST(MigrateAdoptRaceTest, ARunOfKnexUnderWayIsWaitedForAndWhatItDidIsAdoptedToo) {
  const auto where = fresh_database("under_way");
  const auto first = knex_folder("first_three", {});
  for (const auto* name : {"004_create_expenses_table.js", "005_create_debts_table.js",
                           "006_create_debt_payments_table.js"}) {
    std::filesystem::remove(std::filesystem::path(first) / name);
  }
  ASSERT_EQ(knex_run({"migrate:latest"}, where, first).exit_code, 0);
  const std::string slow = "004_create_expenses_table.js";
  auto text = read_file(std::filesystem::path(places::knex_dir) / "migrations" / slow);
  const std::string head = "exports.up = function (knex) {\n";
  ASSERT_EQ(text.find(head), 0U);
  text.replace(0, head.size(),
               "exports.up = async function (knex) {\n"
               "  await knex.raw('select pg_advisory_xact_lock(42)');\n");
  const auto all = knex_folder("slow_fourth", {{slow, text}});
  auto gate = connect(where);
  gate.exec("SELECT pg_advisory_lock(42)", soon());
  Child knex(knex_child({"migrate:latest"}, where, all));
  auto watcher = connect(where);
  ASSERT_TRUE(becomes_true(watcher,
                           "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND "
                           "NOT granted AND objid = 42)"));
  Child adopt(pantryd_child(kAdopt, where));
  EXPECT_THAT(read_until(adopt, "attempt 1"), HasSubstr("Knex's tables: attempt 1"));
  EXPECT_EQ(history_rows(where), "0");
  gate.exec("SELECT pg_advisory_unlock(42)", soon());
  EXPECT_EQ(knex.wait(soon()), 0);
  const auto said = read_until(adopt, "The catalogue is");
  EXPECT_EQ(adopt.wait(soon()), 0) << said;
  EXPECT_EQ(history_rows(where), "6");
  EXPECT_EQ(one(where, "SELECT count(*) FROM pantryd.migrations WHERE batch = 2"), "3");
  EXPECT_EQ(pantryd_run({"migrate", "verify"}, where).exit_code, 0);
}

TEST(MigrateAdoptRaceTest, KnexWaitsForAnAdoptionAndGoesOnWhenItIsKilled) {
  const auto where = knex_database("knex_waits");
  const auto folder = knex_folder("knex_waits", {{"007_late.js",
                                                  "exports.up = (knex) => knex.raw('select 1');\n"
                                                  "exports.down = () => {};\n"}});
  auto spec = pantryd_child(kAdopt, where);
  spec.env = {"PANTRYD_TEST_PAUSE_BEFORE=9"};
  Child adopt(spec);
  ASSERT_THAT(read_until(adopt, "COMMIT\n"), HasSubstr("COMMIT"));
  Child knex(knex_child({"migrate:latest"}, where, folder));
  auto watcher = connect(where);
  EXPECT_TRUE(becomes_true(watcher,
                           "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = "
                           "'knex' AND wait_event_type = 'Lock')"));
  EXPECT_EQ(one(where, "SELECT count(*) FROM knex_migrations"), "6");
  adopt.signal(SIGKILL);
  EXPECT_EQ(knex.wait(soon()), 0);
  EXPECT_EQ(one(where, "SELECT count(*) FROM knex_migrations"), "7");
  EXPECT_EQ(history_rows(where), "0");
}

TEST(MigrateAdoptRaceTest, ManyAdoptionsAndManyRunsOfKnexAtOnceEndInOneTruth) {
  const auto where = fresh_database("crowd");
  std::vector<std::unique_ptr<Child>> knexes;
  std::vector<std::unique_ptr<Child>> adoptions;
  ASSERT_EQ(knex_run({"migrate:list"}, where).exit_code, 0);
  for (int i = 0; i < 3; ++i) {
    knexes.push_back(std::make_unique<Child>(knex_child({"migrate:latest"}, where)));
    adoptions.push_back(std::make_unique<Child>(pantryd_child(kAdopt, where)));
  }
  for (const auto& each : knexes) EXPECT_EQ(each->wait(soon()), 0);
  // Too early is 1 (Knex has run nothing); all others must have adopted or found it adopted.
  for (const auto& each : adoptions) EXPECT_THAT(each->wait(soon()), AnyOf(0, 1));
  EXPECT_EQ(pantryd_run(kAdopt, where).exit_code, 0);
  EXPECT_EQ(history_rows(where), "6");
  EXPECT_EQ(one(where, "SELECT count(*) FROM knex_migrations"), "6");
  EXPECT_EQ(pantryd_run({"migrate", "verify"}, where).exit_code, 0);
  EXPECT_EQ(scratch_left(where), "0");
}

/// A role that owns the database it works in, and what Knex made there as that role.
pg::Conninfo owned_database(const std::string& name, const std::string& rights) {
  auto admin = connect(shared_sandbox().primary());
  admin.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", soon());
  admin.exec("DROP ROLE IF EXISTS till_" + name, soon());
  admin.exec("CREATE ROLE till_" + name + " LOGIN PASSWORD 'till' " + rights, soon());
  admin.exec("CREATE DATABASE " + name + " TEMPLATE template0 OWNER till_" + name, soon());
  const auto where = shared_sandbox()
                         .primary()
                         .with("dbname", name)
                         .with("user", "till_" + name)
                         .with("passfile", "")
                         .with("password", "till");
  const auto made = knex_run({"migrate:latest"}, where);
  EXPECT_TRUE(made.ok()) << made.output;
  return where;
}

TEST(MigrateAdoptRaceTest, ARoleThatMayNotMakeADatabaseHasTheFilesBuiltInASchema) {
  const auto where = owned_database("no_createdb", "NOCREATEDB");
  auto connection = connect(where);
  connection.exec_script(
      "CREATE INDEX by_hand ON sales (total); ALTER TABLE debts DROP CONSTRAINT "
      "debts_sale_id_foreign",
      soon());
  EXPECT_THAT(told(pantryd_run(kAdopt, where)),
              AllOf(StartsWith("4\n"),
                    HasSubstr("- constraint debts_sale_id_foreign on public.debts FOREIGN KEY "
                              "(sale_id) REFERENCES public.sales(id) ON DELETE SET NULL\n"),
                    HasSubstr("+ index CREATE INDEX by_hand"), HasSubstr(": 2 differences"),
                    Not(HasSubstr("pantryd_adopt"))));
  EXPECT_EQ(scratch_left(where), "0");
  connection.exec_script(
      "DROP INDEX by_hand; ALTER TABLE debts ADD CONSTRAINT debts_sale_id_foreign FOREIGN KEY "
      "(sale_id) REFERENCES sales (id) ON DELETE SET NULL",
      soon());
  EXPECT_THAT(told(pantryd_run(kAdopt, where)),
              AllOf(StartsWith("0\n"), HasSubstr("scratch schema")));
  EXPECT_EQ(scratch_left(where), "0");
  EXPECT_EQ(pantryd_run({"migrate", "verify"}, where).exit_code, 0);
  // 016 makes roles, which takes an administrator.
  EXPECT_EQ(pantryd_run({"migrate", "up", "--to", "15"}, where).exit_code, 0);
}

TEST(MigrateAdoptRaceTest, ARoleThatIsNotLetIntoTheScratchDatabaseBuildsInASchemaAndLeavesNone) {
  const auto where = owned_database("one_connection", "CREATEDB CONNECTION LIMIT 1");
  EXPECT_THAT(told(pantryd_run(kAdopt, where)),
              AllOf(StartsWith("0\n"), HasSubstr("scratch schema")));
  EXPECT_EQ(scratch_left(shared_sandbox().primary()), "0");
}

TEST(MigrateAdoptRaceTest, ARoleThatCannotChangeTheTablesIsWarned) {
  const auto owner = owned_database("not_owner", "NOCREATEDB");
  connect(shared_sandbox().primary())
      .exec("CREATE ROLE till_other LOGIN PASSWORD 'till' NOCREATEDB", soon());
  connect(owner).exec_script(
      "GRANT SELECT, UPDATE ON knex_migrations, knex_migrations_lock TO till_other; "
      "GRANT CREATE ON DATABASE not_owner TO till_other",
      soon());
  const auto other = owner.with("user", "till_other");
  EXPECT_THAT(told(pantryd_run(kAdopt, other)),
              AllOf(StartsWith("0\n"), HasSubstr("warning: 6 tables belong to till_not_owner")));
}

TEST(MigrateAdoptRaceTest, WhereTheFilesCanBeBuiltNowhereTheMissingRightIsNamed) {
  const auto where = owned_database("nowhere", "NOCREATEDB");
  Files files;
  for (const auto& each : embedded_migrations()) {
    if (each.kind != Kind::versioned || each.version > 6) continue;
    auto text = read_file(std::string(places::source_dir) + "/migrations/" + each.name + ".sql");
    const auto at = text.find("CREATE TABLE debts");
    if (at != std::string::npos) text.replace(at, 18, "CREATE TABLE public.debts");
    files.emplace_back(each.name + ".sql", text);
  }
  auto arguments = kAdopt;
  arguments.insert(arguments.end(), {"--dir", folder_of("nowhere", files)});
  EXPECT_THAT(
      told(pantryd_run(arguments, where)),
      AllOf(StartsWith("1\n"), HasSubstr("005_create_debts_table.sql cannot be: it names a schema"),
            HasSubstr("HINT: "), HasSubstr("ALTER ROLE till_nowhere CREATEDB")));
  auto admin = connect(shared_sandbox().primary());
  admin.exec("ALTER DATABASE nowhere OWNER TO postgres", soon());
  EXPECT_THAT(
      told(pantryd_run(kAdopt, where)),
      AllOf(StartsWith("1\n"), HasSubstr("lacks CREATE on this database"), HasSubstr("CREATEDB")));
  admin.exec("ALTER ROLE till_nowhere CREATEDB", soon());
  admin.exec("ALTER DATABASE nowhere OWNER TO till_nowhere", soon());
  EXPECT_THAT(told(pantryd_run(arguments, where)),
              AllOf(StartsWith("0\n"), HasSubstr("scratch database")));
}

}  // namespace
}  // namespace pantryd::migrate
