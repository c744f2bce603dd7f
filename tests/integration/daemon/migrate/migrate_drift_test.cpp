// What does not fit: files edited, missing or late, a catalogue changed by hand, files that are no
// migrations; and the way back.
#include <gmock/gmock.h>

#include "base/error.h"
#include "migrate/run/execute.h"
#include "tests/support/migrate_database.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;
using State = CatalogueDrift::State;

std::string code_and_text(const ChildResult& result) {
  return std::to_string(result.exit_code) + " " + result.output;
}

std::string refusal(pg::Connection& connection, const std::vector<Migration>& files,
                    ExitCode code) {
  try {
    (void)bring_up(connection, files);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(MigrateDriftTest, AChangeByHandIsToldObjectByObjectAndStaysVisibleAfterLaterRuns) {
  const auto where = fresh_database("by_hand");
  auto connection = connect(where);
  const Files one{{"001_a.sql", "-- migrate:up\nCREATE TABLE a (x int);\n"}};
  const auto folder = folder_of("by_hand", one);
  EXPECT_EQ(pantryd_run({"migrate", "up", "--dir", folder}, where).exit_code, 0);
  EXPECT_EQ(pantryd_run({"migrate", "verify", "--dir", folder}, where).exit_code, 0);
  connection.exec("ALTER TABLE a ADD COLUMN by_hand text", soon());
  auto verify = pantryd_run({"migrate", "verify", "--dir", folder}, where);
  EXPECT_EQ(verify.exit_code, 4) << verify.output;
  EXPECT_THAT(verify.output, HasSubstr("+ column a.by_hand text\n"));
  write_file_atomically(std::filesystem::path(folder) / "002_b.sql",
                        "-- migrate:up\nCREATE TABLE b (x int);\n");
  const auto up = pantryd_run({"migrate", "up", "--dir", folder}, where);
  EXPECT_EQ(up.exit_code, 0);
  EXPECT_THAT(up.output, HasSubstr("changed by hand"));
  verify = pantryd_run({"migrate", "verify", "--dir", folder, "--json"}, where);
  EXPECT_EQ(verify.exit_code, 4) << verify.output;
  EXPECT_THAT(verify.output, HasSubstr("by_hand"));
  EXPECT_THAT(verify.output, testing::Not(HasSubstr("table b")));
  EXPECT_EQ(pantryd_run({"migrate", "verify", "--dir", folder, "--accept"}, where).exit_code, 0);
  EXPECT_EQ(pantryd_run({"migrate", "verify", "--dir", folder}, where).exit_code, 0);
}

TEST(MigrateDriftTest, EveryKindOfObjectIsInTheFingerprint) {
  auto connection = connect(fresh_database("kinds"));
  (void)bring_up(connection, {make("001_a",
                                   "CREATE TABLE a (x int, y text); CREATE INDEX a_x ON a (x);"
                                   "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
                                   "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS "
                                   "'BEGIN RETURN new; END';"
                                   "CREATE VIEW v AS SELECT x FROM a; CREATE SEQUENCE s;"
                                   "CREATE TYPE mood AS ENUM ('sad');")});
  for (const auto* change :
       {"ALTER TABLE a ALTER x SET NOT NULL", "ALTER TABLE a ALTER x SET DEFAULT 3",
        "ALTER TABLE a ADD CHECK (x > 0) NOT VALID", "ALTER TABLE a SET (fillfactor = 70)",
        "ALTER TABLE a ALTER x SET (n_distinct = 7)", "DROP INDEX a_x",
        "CREATE OR REPLACE VIEW v AS SELECT x, y FROM a",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION t()",
        "ALTER SEQUENCE s INCREMENT 5", "GRANT SELECT ON a TO public",
        "ALTER TYPE mood ADD VALUE 'glad'", "ALTER TABLE a ENABLE ROW LEVEL SECURITY",
        "CREATE EXTENSION pg_trgm"}) {
    ASSERT_EQ(compare_catalogue(connection, soon()).state, State::same);
    connection.exec(change, soon());
    EXPECT_EQ(compare_catalogue(connection, soon()).state, State::drifted) << change;
    accept_catalogue(connection, soon());
  }
  connection.exec("INSERT INTO a VALUES (1, nextval('s'))", soon());
  connection.exec("ANALYZE a", soon());
  EXPECT_EQ(compare_catalogue(connection, soon()).state, State::same);
}

// Since the minor releases of November 2026 (17.12) the server stamps columns with pg_attver; two
// databases with the same history differ in it.
TEST(MigrateDriftTest, WhatTheServerNotesForItselfInAColumnsOptionsIsNoDrift) {
  auto connection = connect(fresh_database("stamped"));
  (void)bring_up(connection, {make("001_a",
                                   "CREATE TABLE a (x int, y int); ALTER TABLE a "
                                   "ALTER x SET (n_distinct = 7, n_distinct_inherited = 8);")});
  const auto stamp = [&](const std::string& options) {
    connection.exec("UPDATE pg_attribute SET attoptions = " + options +
                        " WHERE attrelid = 'a'::regclass AND attname IN ('x', 'y')",
                    soon());
  };
  connection.exec("SET allow_system_table_mods = on", soon());
  stamp("ARRAY['pg_attver=71'] || attoptions");
  EXPECT_EQ(compare_catalogue(connection, soon()).state, State::same);
  stamp("array_replace(attoptions, 'pg_attver=71', 'pg_attver=72')");
  EXPECT_EQ(compare_catalogue(connection, soon()).state, State::same);
  stamp("array_remove(attoptions, 'n_distinct=7')");
  EXPECT_EQ(compare_catalogue(connection, soon()).state, State::drifted);
}

TEST(MigrateDriftTest, AFileBelowAnAppliedOneIsRefusedUnlessAllowed) {
  const auto where = fresh_database("late");
  const auto folder = folder_of("late", {{"001_a.sql", "-- migrate:up\nSELECT 1;\n"},
                                         {"003_c.sql", "-- migrate:up\nSELECT 3;\n"}});
  const std::vector<std::string> up{"migrate", "up", "--dir", folder};
  EXPECT_EQ(pantryd_run(up, where).exit_code, 0);
  write_file_atomically(std::filesystem::path(folder) / "002_b.sql", "-- migrate:up\nSELECT 2;\n");
  EXPECT_THAT(code_and_text(pantryd_run(up, where)), HasSubstr("4 pantryd: 002_b is pending"));
  EXPECT_THAT(code_and_text(pantryd_run({"migrate", "verify", "--dir", folder}, where)),
              HasSubstr("4 out of order 002_b"));
  EXPECT_EQ(
      pantryd_run({"migrate", "up", "--dir", folder, "--allow-out-of-order"}, where).exit_code, 0);
  EXPECT_EQ(pantryd_run({"migrate", "status", "--check", "--dir", folder}, where).exit_code, 0);
}

TEST(MigrateDriftTest, ARepeatableFileRunsAgainWhenItChangesAndOnlyThen) {
  auto connection = connect(fresh_database("again"));
  const auto table = make("001_a", "CREATE TABLE a (x int);");
  const auto view = [](const std::string& what) {
    return make("R_v", "DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT " + what + " AS y FROM a;");
  };
  const std::vector<Migration> first{table, view("x")};
  EXPECT_EQ(bring_up(connection, first).size(), 2U);
  EXPECT_TRUE(bring_up(connection, first).empty());
  const std::vector<Migration> second{table, view("x + 1")};
  EXPECT_EQ(status(connection, second, soon())[1].state, MigrationState::changed);
  EXPECT_EQ(bring_up(connection, second).size(), 1U);
  EXPECT_EQ(connection.exec("SELECT count(*) FROM pantryd.migrations", soon()).i64(0, 0), 2);
  EXPECT_EQ(compare_catalogue(connection, soon()).state, State::same);
}

TEST(MigrateDriftTest, UpToAVersionAndDownToOne) {
  const auto where = fresh_database("down");
  auto connection = connect(where);
  Files files;
  for (const std::string name : {"001_a", "002_b", "003_c"}) {
    files.emplace_back(name + ".sql", "-- migrate:up\nCREATE TABLE " + name.substr(4) +
                                          " (x int);\n-- migrate:down\nDROP TABLE " +
                                          name.substr(4) + ";\n");
  }
  const auto folder = folder_of("down", files);
  const auto tables = [&] {
    return connection
        .exec(
            "SELECT coalesce(string_agg(relname, '' ORDER BY relname), '') FROM pg_class WHERE "
            "relkind = 'r' AND relnamespace = 'public'::regnamespace",
            soon())
        .maybe_text(0, 0)
        .value_or("");
  };
  const auto go = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--dir", folder});
    return pantryd_run(words, where).exit_code;
  };
  EXPECT_EQ(go({"migrate", "up", "--to", "2"}), 0);
  EXPECT_EQ(tables(), "ab");
  EXPECT_EQ(go({"migrate", "up", "--to", "7"}), 2);
  EXPECT_EQ(go({"migrate", "up"}), 0);
  EXPECT_EQ(go({"migrate", "down"}), 0);
  EXPECT_EQ(tables(), "ab");
  EXPECT_EQ(go({"migrate", "verify"}), 0);
  EXPECT_EQ(go({"migrate", "up"}), 0);
  EXPECT_EQ(go({"migrate", "down", "--to", "0"}), 0);
  EXPECT_EQ(tables(), "");
  EXPECT_EQ(go({"migrate", "down"}), 0);
}

TEST(MigrateDriftTest, DownIsRefusedAsAWholeWhenOneHasNoWayBack) {
  auto connection = connect(fresh_database("one_way"));
  const std::vector<Migration> files{
      make("001_a", "CREATE TABLE a (x int);"),
      parse_file("002_b.sql",
                 "-- migrate:up\nCREATE TABLE b (x int);\n-- migrate:down\nDROP TABLE b;\n")};
  (void)bring_up(connection, files);
  RunnerOptions options;
  options.to = 0;
  EXPECT_THROW((void)down(connection, files, options, [](const Migration&) {}), Error);
  EXPECT_TRUE(connection.exec("SELECT to_regclass('b') IS NOT NULL", soon()).boolean(0, 0));
}

TEST(MigrateDriftTest, ADownThatRunsStatementByStatementIsResumedToo) {
  auto connection = connect(fresh_database("half_undone"));
  const auto file = [](const std::string& last) {
    return std::vector<Migration>{
        parse_file("001_a.sql",
                   "-- migrate:up\nCREATE TABLE a (x int);\nCREATE INDEX a_x ON a (x);\n"
                   "-- migrate:down\n-- migrate:no-transaction\nDROP INDEX CONCURRENTLY a_x;\n" +
                       last)};
  };
  const auto no_start = [](const Migration&) {};
  (void)bring_up(connection, file("DROP TABLE "
                                  "missing;"));
  EXPECT_THROW((void)down(connection, file("DROP TABLE missing;"), {}, no_start), pg::PgError);
  EXPECT_THAT(refusal(connection, file("DROP TABLE missing;"), ExitCode::failed),
              HasSubstr("half undone"));
  EXPECT_EQ(down(connection, file("DROP TABLE a;"), {}, no_start).size(), 1U);
  EXPECT_TRUE(connection.exec("SELECT to_regclass('a') IS NULL", soon()).boolean(0, 0));
}

TEST(MigrateDriftTest, WhatCannotRunIsRefusedWithFileAndLineBeforeAnythingRuns) {
  auto connection = connect(fresh_database("refused"));
  const auto good = make("001_good", "CREATE TABLE good (x int);");
  const auto says = [&](const Migration& bad) {
    return refusal(connection, {good, bad}, ExitCode::usage);
  };
  EXPECT_THAT(says(make("002_m", "SELECT 1;\n\\set x 1\n")), HasSubstr("002_m.sql:3: \\set"));
  EXPECT_THAT(says(make("002_c", "COPY good FROM stdin;\n1\n\\.\n")),
              HasSubstr("002_c.sql:3: data of COPY"));
  EXPECT_THAT(says(make("002_d", "COPY good FROM stdin;")), HasSubstr("002_d.sql:2"));
  EXPECT_THAT(says(make("002_t", "SELECT 1;\nCOMMIT;")), HasSubstr("002_t.sql:3"));
  EXPECT_THAT(says(make("002_i", "CREATE INDEX CONCURRENTLY i ON good (x);")),
              HasSubstr("cannot run in a transaction"));
  EXPECT_THAT(says(make_outside("002_n", "CREATE INDEX CONCURRENTLY ON good (x);")),
              HasSubstr("no name"));
  EXPECT_THAT(says(make("002_s", "SELECT 'é';\nSELEC 1;")), HasSubstr("002_s.sql:3: syntax"));
  EXPECT_TRUE(connection.exec("SELECT to_regclass('good') IS NULL", soon()).boolean(0, 0));
}

TEST(MigrateDriftTest, AFileSentWholeThatCommitsByItselfIsAnErrorAndNotRecorded) {
  auto connection = connect(fresh_database("sent_whole"));
  // What a file in syntax that the parser does not know becomes: one statement, not looked into.
  const auto file = make("001_a", "CREATE TABLE a (x int); COMMIT;");
  Task task;
  task.file = &file;
  task.statements.resize(1);
  task.statements[0].sql = file.up;
  RunnerOptions options;
  BlockerWatch watch(connection.conninfo(), connection.backend_pid());
  Session session{connection, options, watch, "none"};
  try {
    (void)run_task(session, task);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_THAT(error.what(), HasSubstr("ended the runner's transaction itself"));
  }
  EXPECT_TRUE(connection.idle());
}

TEST(MigrateDriftTest, SettingsOfOneFileDoNotReachTheNext) {
  auto connection = connect(fresh_database("settings_end"));
  (void)bring_up(connection, {make("001_a", "CREATE SCHEMA far; SET search_path = far;"),
                              make("002_b", "CREATE TABLE here (x int);")});
  EXPECT_TRUE(
      connection.exec("SELECT to_regclass('public.here') IS NOT NULL", soon()).boolean(0, 0));
}

}  // namespace
}  // namespace pantryd::migrate
