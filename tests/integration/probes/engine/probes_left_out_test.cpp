// What a page leaves out is in "other" or counted, and what is not known is not there: databases,
// relations, sessions, roles, sequences, temporary files, rows with equal labels.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/file.h"
#include "base/subprocess.h"
#include "migrate/run/session_lock.h"
#include "serve/migration_probe.h"
#include "tests/support/page_read.h"
#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/probe_look.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using namespace testing_support;
using probes::ProbeSpec;
using std::chrono::seconds;
using testing::HasSubstr;

/// The page after one round of all probes, and the log.
struct Round {
  std::string page;
  [[nodiscard]] std::optional<double> operator[](const std::string& series) const {
    return value_of(page, series);
  }
  [[nodiscard]] int count(const std::string& start) const {
    const auto lines = lines_of(page, start);
    return static_cast<int>(std::count(lines.begin(), lines.end(), '\n'));
  }
};

/// With these keys below `probes`.
Round round(const std::string& keys) {
  const auto config = scratch_dir() / "round.yaml";
  write_file_atomically(
      config, fmt::format("http: {{listen: \"127.0.0.1:1\"}}\nprobes: {{{}}}\ntargets:\n  - {}\n",
                          keys, target_line("t", watcher_at(shared_sandbox().port()))));
  ChildSpec spec;
  spec.argv = {places::binary, "metrics", "--config", config.string()};
  spec.output = scratch_dir() / "round.txt";  // whole, with the log in it
  std::filesystem::remove(spec.output);
  const auto result = run_child(spec, soon());
  const auto text = read_file(spec.output);
  EXPECT_EQ(result.exit_code, 0) << text;
  return {text};
}

/// The probe with another limit in its query, so that few rows are more than it allows.
ProbeSpec bounded(const std::string& probe, std::size_t query, const std::string& limit) {
  auto spec = probe_of(probe);
  EXPECT_TRUE(spec.queries.at(query).bound);
  spec.queries.at(query).bound->limit = limit;
  return spec;
}

ProbeSpec of_rows(const std::string& more) {
  return probes::parse_probe(
      "name: mine\nsummary: Mine.\nqueries:\n  - sql: SELECT * FROM (VALUES ('a', 1.0, 10), "
      "('a', 3, 30), ('b', 5, 50), ('a', NULL, 20)) AS v (who, n, m)\n    labels: [who]\n" +
          more +
          "    metrics:\n      - {name: n, column: n, type: gauge, help: N}\n"
          "      - {name: m, column: m, type: gauge, help: M}\n",
      "mine.yaml");
}

class LeftOutTest : public testing::Test {
 protected:
  /// Databases come and go: nothing of them has to survive.
  static void SetUpTestSuite() {
    auto admin = connect();
    admin.exec("ALTER SYSTEM SET fsync = off", soon());
    admin.exec("SELECT pg_reload_conf()", soon());
  }
  void make_tables(const std::string& database, int count) {
    admin_.exec("CREATE DATABASE " + database, soon());
    std::string script;
    for (int i = 0; i < count; ++i) script += fmt::format("CREATE TABLE t{} (a int);", i);
    if (count == 0) return;
    auto there =
        pg::Connection::connect(shared_sandbox().primary().with("dbname", database), soon());
    there.exec_script(script, soon());
  }
  void drop(const std::vector<std::string>& databases) {
    for (const auto& name : databases) {
      admin_.exec("DROP DATABASE " + name + " WITH (FORCE)", soon());
    }
  }
  pg::Connection admin_ = connect();
  pg::Connection watcher_ = watch(shared_sandbox().primary());
};

TEST_F(LeftOutTest, TheTargetsOwnDatabaseIsVisitedFirstAndTheOthersThatAreNotAreCounted) {
  for (const auto* const name : {"a1", "a2", "a3"}) make_tables(name, 0);
  const auto all = round("");
  EXPECT_EQ(all["pantryd_databases_visited{target=\"t\"}"], 5);
  EXPECT_EQ(all["pantryd_databases_left_out{reason=\"limit\",target=\"t\"}"], 0);
  const auto few = round("databases_max: 2");
  EXPECT_EQ(few["pantryd_databases_visited{target=\"t\"}"], 2);
  EXPECT_EQ(few["pantryd_databases_left_out{reason=\"limit\",target=\"t\"}"], 3);
  EXPECT_TRUE(has_line(few.page, "pantryd_indexes{datname=\"zion_grocery_db\"")) << "the last one";
  EXPECT_TRUE(has_line(few.page, "pantryd_indexes{datname=\"a1\""));
  EXPECT_FALSE(has_line(few.page, "pantryd_indexes{datname=\"a2\""));
  EXPECT_THAT(few.page, HasSubstr("3 databases are not visited: probes.databases_max is 2"));
  admin_.exec("REVOKE CONNECT ON DATABASE a2 FROM PUBLIC", soon());
  const auto denied = round("");
  EXPECT_EQ(denied["pantryd_databases_left_out{reason=\"denied\",target=\"t\"}"], 1);
  drop({"a1", "a2", "a3"});
}

TEST_F(LeftOutTest, TheBoundOnRelationsIsSharedByWhatEachDatabaseNeeds) {
  for (const auto* const name : {"e1", "e2", "e3"}) make_tables(name, 0);
  make_tables("large", 60);
  const auto series = "pg_stat_user_tables_seq_scan{datname=\"";
  const auto fits = round("relations_max: 70");
  EXPECT_EQ(fits.count(std::string(series) + "large\""), 60) << "all of them, in the first round";
  EXPECT_FALSE(has_line(fits.page, std::string(series) + "large\",schemaname=\"other\""));
  EXPECT_EQ(fits["pantryd_probe_other_rows{datname=\"large\",probe=\"user_tables\",target=\"t\"}"],
            0);
  make_tables("half", 60);
  const auto shared = round("relations_max: 70");
  for (const std::string name : {"large", "half"}) {
    EXPECT_EQ(shared.count(series + name + "\""), 35) << name << ", \"other\" among them";
    EXPECT_TRUE(has_line(shared.page, series + name + "\",schemaname=\"other\""));
    EXPECT_EQ(shared["pantryd_probe_other_rows{datname=\"" + name +
                     "\",probe=\"user_tables\",target=\"t\"}"],
              26);
  }
  drop({"e1", "e2", "e3", "large", "half"});
}

/// Only a superuser can make a database invalid without an interrupted DROP DATABASE.
TEST_F(LeftOutTest, AnInvalidDatabaseFailsNoProbeAndIsCounted) {
  admin_.exec("CREATE DATABASE dropped", soon());
  EXPECT_EQ(value(values_of(watcher_, "size"), "pantryd_database_invalid|dropped"), 0);
  admin_.exec("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'dropped'", soon());
  const auto seen = round("");
  EXPECT_EQ(seen["pantryd_databases_left_out{reason=\"invalid\",target=\"t\"}"], 1);
  EXPECT_EQ(seen["pantryd_database_invalid{datname=\"dropped\",target=\"t\"}"], 1);
  EXPECT_EQ(seen["pantryd_database_invalid{datname=\"zion_grocery_db\",target=\"t\"}"], 0);
  EXPECT_FALSE(has_line(seen.page, "pantryd_probe_outcome{datname=\"dropped\""));
  EXPECT_EQ(lines_of(seen.page, "pantryd_probe_outcome{").find("outcome=\"error\""),
            std::string::npos);
  admin_.exec("UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'dropped'", soon());
  drop({"dropped"});
}

TEST_F(LeftOutTest, ADatabaseOfAnotherEncodingHasOneName) {
  admin_.exec(
      "CREATE DATABASE \"cr\u00e8me\" TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE "
      "'C'",
      soon());
  const auto seen = round("");
  for (const std::string metric : {"pg_database_size_bytes{", "pantryd_relations{",
                                   "pantryd_indexes{", "pantryd_probe_rows{"}) {
    EXPECT_TRUE(has_line(seen.page, metric + "datname=\"cr\u00e8me\"")) << metric;
    EXPECT_TRUE(has_line(seen.page, metric + "datname=\"zion_grocery_db\"")) << metric;
  }
  EXPECT_EQ(seen.page.find("cr\u00c3"), std::string::npos);
  drop({"\"cr\u00e8me\""});
}

TEST_F(LeftOutTest, SessionsBeyondTheBoundAreInOther) {
  std::vector<pg::Connection> crowd;
  for (int i = 0; i < 30; ++i) {
    pg::ConnectOptions options;
    options.application_name = fmt::format("app {}", i);
    crowd.push_back(connect(options));
  }
  const auto truth =
      static_cast<double>(admin_.exec("SELECT count(*) FROM pg_stat_activity", soon()).i64(0, 0));
  const auto all = look(watcher_, probe_of("activity"));
  EXPECT_EQ(sum_of(values_of(all), "pg_stat_activity_count"), truth);
  EXPECT_EQ(all.other, 0);
  const auto few = look(watcher_, bounded("activity", 0, "20"));
  EXPECT_EQ(sum_of(values_of(few), "pg_stat_activity_count"), truth);
  EXPECT_GE(few.other.value_or(0), 15);
  EXPECT_GE(value(values_of(few),
                  "pg_stat_activity_count|other|idle|other|other|client backend|"
                  "other|other")
                .value_or(0),
            15);
  EXPECT_EQ(few.lost, 0);
}

TEST_F(LeftOutTest, DatabasesAndRolesBeyondTheBoundAreInOtherOrCounted) {
  admin_.exec_script(
      "CREATE ROLE narrow CONNECTION LIMIT 2; CREATE ROLE wide CONNECTION LIMIT 9; "
      "CREATE ROLE wider CONNECTION LIMIT 20",
      soon());
  const auto bytes = sum_of(values_of(watcher_, "size"), "pg_database_size_bytes");
  const auto sizes = look(watcher_, bounded("size", 0, "2"));
  EXPECT_NEAR(sum_of(values_of(sizes), "pg_database_size_bytes"), bytes, 1e6);
  EXPECT_TRUE(value(values_of(sizes), "pg_database_size_bytes|other"));
  EXPECT_GE(sizes.other.value_or(0), 2);
  const auto roles = look(watcher_, bounded("roles", 1, "2"));
  EXPECT_EQ(value(values_of(roles), "pantryd_role_connections_remaining|narrow"), 2);
  EXPECT_EQ(value(values_of(roles), "pantryd_role_connections_remaining|other"), 9)
      << "the least of the others";
  EXPECT_EQ(look(watcher_, probe_of("roles")).other, 0);
  admin_.exec_script("DROP ROLE narrow; DROP ROLE wide; DROP ROLE wider", soon());
}

TEST_F(LeftOutTest, AParallelWorkerIsNoConnectionAndNoTransaction) {
  admin_.exec_script(
      "CREATE TABLE wide AS SELECT g AS a FROM generate_series(1, 20000) g; ANALYZE wide; "
      "CREATE ROLE worker LOGIN PASSWORD 'of-tests' CONNECTION LIMIT 5; GRANT SELECT ON wide TO "
      "worker",
      soon());
  pg::ConnectOptions options;
  options.settings = {{"max_parallel_workers_per_gather", "4"},
                      {"parallel_setup_cost", "0"},
                      {"parallel_tuple_cost", "0"},
                      {"min_parallel_table_scan_size", "0"}};
  auto session = pg::Connection::connect(shared_sandbox()
                                             .primary()
                                             .with("passfile", "")
                                             .with("user", "worker")
                                             .with("password", "of-tests"),
                                         soon(), options);
  const auto open = value(values_of(watcher_, "long_transactions"), "pg_long_running_transactions");
  session.send("SELECT count(*) FROM wide WHERE pg_sleep(0.001) IS NOT NULL", {});
  (void)session.flush();
  ASSERT_TRUE(within(seconds(10), [&] {
    return admin_
               .exec("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'",
                     soon())
               .i64(0, 0) > 1;
  }));
  EXPECT_EQ(value(values_of(watcher_, "roles"), "pantryd_role_connections_remaining|worker"), 4);
  EXPECT_EQ(value(values_of(watcher_, "long_transactions"), "pg_long_running_transactions"),
            open.value_or(0) + 1);
  admin_.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'",
              soon());
  EXPECT_TRUE(within(seconds(10), [&] {
    return value(values_of(watcher_, "roles"), "pantryd_role_connections_remaining|worker") == 5;
  }));
  admin_.exec_script("DROP TABLE wide; DROP ROLE worker", soon());
}

TEST_F(LeftOutTest, ARoleThatMayNotSeeTheSessionsDoesNotKnowHowManyThereAre) {
  EXPECT_GE(value(values_of(watcher_, "activity"), "pantryd_connections_used").value_or(0), 2);
  admin_.exec("CREATE ROLE stranger LOGIN PASSWORD 'of-tests'", soon());
  auto stranger = pg::Connection::connect(shared_sandbox()
                                              .primary()
                                              .with("passfile", "")
                                              .with("user", "stranger")
                                              .with("password", "of-tests"),
                                          soon());
  const auto seen = values_of(stranger, "activity");
  EXPECT_FALSE(value(seen, "pantryd_connections_used"));
  EXPECT_FALSE(value(seen, "pantryd_connections_remaining"));
  EXPECT_TRUE(value(seen, "pantryd_connections_limit")) << "a setting, which everybody sees";
  EXPECT_FALSE(value(values_of(stranger, "autovacuum"), "pantryd_autovacuum_workers"));
  EXPECT_FALSE(value(values_of(stranger, "long_transactions"), "pg_long_running_transactions"));
  EXPECT_FALSE(value(values_of(stranger, "posture"), "pantryd_tls_connections_ratio"));
  EXPECT_EQ(sum_of(values_of(stranger, "tls"), "pantryd_sessions_by_tls"), 0);
  EXPECT_TRUE(value(values_of(watcher_, "posture"), "pantryd_tls_connections_ratio"));
  EXPECT_GE(sum_of(values_of(watcher_, "tls"), "pantryd_sessions_by_tls"), 2);
}

TEST_F(LeftOutTest, ARoleThatMayNotSeeTheRunnerOfMigrationsDoesNotKnowItsAge) {
  const auto up =
      run_binary(places::binary, {"migrate", "up", "--dsn", dsn_of(shared_sandbox().primary())});
  ASSERT_EQ(up.exit_code, 0) << up.output;
  admin_.exec_script(
      fmt::format("CREATE ROLE reader LOGIN PASSWORD 'of-tests'; GRANT CONNECT ON DATABASE "
                  "zion_grocery_db TO reader; GRANT USAGE ON SCHEMA pantryd TO "
                  "reader, {0}; GRANT SELECT ON ALL TABLES IN SCHEMA pantryd TO reader, {0}",
                  kWatcher),
      soon());
  admin_.exec("SELECT pg_advisory_lock($1)", pg::Params::of(migrate::kLockKey), soon());
  auto reader = pg::Connection::connect(shared_sandbox()
                                            .primary()
                                            .with("passfile", "")
                                            .with("user", "reader")
                                            .with("password", "of-tests"),
                                        soon());
  const auto probe = migration_probe();
  const auto state = [&](pg::Connection& connection) {
    const auto facts = probes::read_facts(connection, soon());
    const auto run = probes::run_server_probe(probe, connection, facts);
    EXPECT_EQ(run.outcome, probes::Outcome::ok) << run.error;
    return values_of(run);
  };
  EXPECT_EQ(value(state(reader), "pantryd_migrations_running"), 1);
  EXPECT_FALSE(value(state(reader), "pantryd_migrations_statement_age_seconds"));
  EXPECT_FALSE(value(state(reader), "pantryd_migrations_lock_waiting"));
  EXPECT_TRUE(value(state(watcher_), "pantryd_migrations_statement_age_seconds"));
  EXPECT_EQ(value(state(watcher_), "pantryd_migrations_lock_waiting"), 0);
  admin_.exec("SELECT pg_advisory_unlock_all()", soon());
  EXPECT_EQ(value(state(reader), "pantryd_migrations_running"), 0);
  EXPECT_EQ(value(state(reader), "pantryd_migrations_statement_age_seconds"), 0) << "none runs";
}

/// README's role may not read sequences, so that this one is a member of pg_read_all_data, too.
TEST_F(LeftOutTest, WhatRemainsOfASequenceIsUnknownUntilItIsUsedAndWhileItIsLocked) {
  admin_.exec_script("CREATE SEQUENCE fresh; CREATE SEQUENCE used; SELECT nextval('used')", soon());
  admin_.exec(fmt::format("GRANT pg_read_all_data TO {}", kWatcher), soon());
  const std::string fresh = "|zion_grocery_db|public|fresh|";
  const std::string used = "|zion_grocery_db|public|used|";
  auto seen = values_of(watcher_, "sequences");
  EXPECT_FALSE(value(seen, "pantryd_sequence_remaining" + fresh)) << "not 0: it was never used";
  EXPECT_GT(value(seen, "pantryd_sequence_remaining" + used).value_or(0), 9e18);
  EXPECT_GT(value(seen, "pantryd_sequence_used_ratio" + used).value_or(0), 0);
  auto holder = connect();
  holder.exec_script("BEGIN; ALTER SEQUENCE used CACHE 2", soon());
  const auto run = look(watcher_, probe_of("sequences"));
  EXPECT_FALSE(value(values_of(run), "pantryd_sequence_remaining" + used)) << "not 0: it is locked";
  EXPECT_EQ(run.skipped, 1);
  holder.exec("ROLLBACK", soon());
  admin_.exec_script(fmt::format("DROP SEQUENCE fresh; DROP SEQUENCE used; "
                                 "REVOKE pg_read_all_data FROM {}",
                                 kWatcher),
                     soon());
}

TEST_F(LeftOutTest, TemporaryFilesOfParallelStatementsAreCountedOrSaidToBeMissing) {
  admin_.exec_script(
      "CREATE TABLE spilling AS SELECT g AS a, repeat(md5(g::text), 4) AS b FROM "
      "generate_series(1, 60000) g; ANALYZE spilling",
      soon());
  pg::ConnectOptions options;
  options.settings = {{"work_mem", "64kB"},         {"max_parallel_workers_per_gather", "2"},
                      {"parallel_setup_cost", "0"}, {"parallel_tuple_cost", "0"},
                      {"enable_mergejoin", "off"},  {"enable_nestloop", "off"},
                      {"hash_mem_multiplier", "1"}, {"min_parallel_table_scan_size", "0"}};
  auto session = connect(options);
  session.send(
      "SELECT count(*) FROM spilling a JOIN spilling b USING (b) WHERE pg_sleep(0.002) IS NOT NULL",
      {});
  (void)session.flush();
  const auto seen = values_of(watcher_, "temp_files");
  EXPECT_EQ(value(seen, "pantryd_temp_files_parallel_visible"), 0);
  probes::ProbeMemory memory(probe_of("temp_files_parallel"));
  const auto facts = probes::read_facts(watcher_, soon());
  EXPECT_EQ(probes::run_probe(watcher_, probe_of("temp_files_parallel"), facts, {}, memory).outcome,
            probes::Outcome::not_applicable);
  const auto functions = "pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean)";
  admin_.exec(fmt::format("GRANT EXECUTE ON FUNCTION {} TO {}", functions, kWatcher), soon());
  EXPECT_EQ(value(values_of(watcher_, "temp_files"), "pantryd_temp_files_parallel_visible"), 1);
  EXPECT_TRUE(within(seconds(15), [&] {
    const auto parallel = values_of(watcher_, "temp_files_parallel");
    return value(parallel, "pantryd_temp_files_parallel|pg_default").value_or(0) > 0 &&
           value(parallel, "pantryd_temp_files_parallel_bytes|pg_default").value_or(0) > 1e6;
  }));
  admin_.exec(fmt::format("REVOKE EXECUTE ON FUNCTION {} FROM {}", functions, kWatcher), soon());
  admin_.exec(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT "
      "count.*spilling' AND pid <> pg_backend_pid()",
      soon());
  admin_.exec("DROP TABLE spilling", soon());
}

TEST_F(LeftOutTest, RowsWithEqualLabelsAreMergedByTheRuleOfTheProbeOrCountedAsLost) {
  const auto lost = look(watcher_, of_rows(""));
  EXPECT_EQ(values_of(lost), (Values{{"n|a", 1}, {"m|a", 10}, {"n|b", 5}, {"m|b", 50}}));
  EXPECT_EQ(lost.lost, 2);
  const auto max = look(watcher_, of_rows("    same_labels: max\n"));
  EXPECT_EQ(values_of(max), (Values{{"n|a", 3}, {"m|a", 30}, {"n|b", 5}, {"m|b", 50}}));
  EXPECT_EQ(max.lost, 0);
  const auto sum = look(watcher_, of_rows("    same_labels: sum\n"));
  EXPECT_EQ(values_of(sum), (Values{{"m|a", 60}, {"n|b", 5}, {"m|b", 50}}))
      << "a sum of which a part is unknown is unknown";
  const auto number = look(watcher_, of_rows("    same_labels: number\n"));
  EXPECT_EQ(values_of(number), (Values{{"n|a", 1},
                                       {"m|a", 10},
                                       {"n|a|2", 3},
                                       {"m|a|2", 30},
                                       {"m|a|3", 20},
                                       {"n|b", 5},
                                       {"m|b", 50}}));
  EXPECT_EQ(number.lost, 0);
}

TEST_F(LeftOutTest, AnOperatorsRowsThatAreLostAreOnThePageAndInTheLog) {
  const auto folder = scratch_dir() / "probes";
  std::filesystem::create_directories(folder);
  const auto text = of_rows("").source;
  write_file_atomically(folder / "mine.yaml", text);
  const auto seen = round("folder: \"" + folder.string() + "\"");
  EXPECT_EQ(seen["pantryd_probe_lost_rows{probe=\"mine\",target=\"t\"}"], 2);
  EXPECT_EQ(seen["pantryd_probe_lost_rows{probe=\"up\",target=\"t\"}"], 0);
  EXPECT_THAT(seen.page, HasSubstr("probe mine: 2 rows are not exported"));
}

}  // namespace
}  // namespace pantryd
