// Sessions that watch a server whose databases belong to others: nothing of theirs is called, and
// nothing of ours reaches them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "base/file.h"
#include "loadgen/judge/judged_run.h"
#include "pg/plain_table.h"
#include "probes/engine/run.h"
#include "tests/support/page_watch.h"
#include "tests/support/pgbouncer.h"
#include "tests/support/places.h"
#include "tests/support/planted.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using namespace testing_support;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kLockTimeout = milliseconds(100);

pg::Connection watch(const pg::Conninfo& where) {
  return pg::Connection::connect(where, soon(), probes::guarded_session(kLockTimeout, nullptr));
}

std::string setting(pg::Connection& connection, const std::string& name) {
  return one(connection, fmt::format("SELECT pg_catalog.current_setting('{}')", name));
}

ChildResult pantryd(const pg::Conninfo& where, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--dsn", where.reveal()});
  return run_binary(places::binary, arguments);
}

/// One collection, whole.
std::string page_of(const pg::Conninfo& where) {
  const auto file = scratch_dir() / "page.txt";
  const auto run = run_binary("/bin/sh", {"-c", "exec \"$0\" --dsn \"$1\" metrics >\"$2\"",
                                          places::binary, where.reveal(), file.string()});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  return try_read_file(file, 64U << 20U).value_or("");
}

class PlantedObjectsTest : public testing::Test {
 protected:
  static const pg::Conninfo& planted() {
    static const auto where = plant_objects(shared_sandbox().primary());
    return where;
  }
};

TEST_F(PlantedObjectsTest, AreCalledBySessionsWithoutAGuard) {
  auto plain = pg::Connection::connect(planted(), soon());
  const auto facts = probes::read_facts(plain, soon());
  EXPECT_THAT(called_by_others(), Contains(HasSubstr("pg_extension")));
  for (const auto& spec : probes::embedded_probes()) {
    probes::ProbeMemory memory(spec);
    (void)probes::run_probe(plain, spec, facts, {.target = "t"}, memory);
  }
  plain.exec("SELECT max(version) FROM pantryd.migrations", soon());
  plain.exec("SELECT pg_catalog.to_jsonb(m) FROM pantryd.migrations m", soon());
  plain.exec("SELECT id FROM public.guarded", soon());
  const auto called = called_by_others();
  EXPECT_THAT(called, Contains(HasSubstr("an expression")));
  EXPECT_THAT(called, Contains(HasSubstr("a cast to json")));
  EXPECT_THAT(called, Contains(HasSubstr("-(numeric, bigint)")));
  EXPECT_THAT(called, Contains(HasSubstr("pg_stat_activity")));
  EXPECT_GT(std::set<std::string>(called.begin(), called.end()).size(), 20U);
}

TEST_F(PlantedObjectsTest, AreNeverCalledBySessionsThatWatch) {
  const auto& where = planted();
  const auto before = called_by_others().size();
  const auto page = page_of(where);
  for (const char* read : {"pg_stat_statements_calls_total{", "pantryd_load_ceiling_per_second{",
                           "pantryd_migrations_version{"}) {
    EXPECT_TRUE(page.find(read) != std::string::npos) << read;
  }
  const auto check = pantryd(where, {"check", "--advise", "--advise-for", "1s"});
  EXPECT_THAT(check.output, Not(HasSubstr("failed"))) << check.output;
  const auto rights = pantryd(where, {"probes", "rights"});
  EXPECT_THAT(rights.output, Not(HasSubstr("error"))) << rights.output;
  const auto file = scratch_dir() / "001_lint.sql";
  write_file_atomically(file, "ALTER TABLE guarded ADD COLUMN note text;\n", 0644);
  const auto lint = pantryd(where, {"migrate", "lint", file.string()});
  EXPECT_THAT(lint.output, Not(HasSubstr("pantryd:"))) << lint.output;

  const auto claims = scratch_dir() / "claims.yaml";
  write_file_atomically(claims,
                        "version: 1\nclaims:\n  - {id: kept, text: t, check: durability}\n"
                        "  - {id: copies, text: t, check: replication}\n",
                        0644);
  const auto validated = pantryd(where, {"validate", "--claims", claims.string(), "--out",
                                         (scratch_dir() / "planted_report").string()});
  EXPECT_THAT(validated.output, HasSubstr("copies")) << validated.output;

  loadgen::LoadOptions options;
  options.workload = loadgen::parse_workload(
      "version: 1\nname: w\noperations:\n  - {name: op, weight: 1, steps: [{sql: 'SELECT "
      "pg_catalog.pg_sleep(0)'}]}\n",
      "w.yaml");
  options.rate_per_s = 20;
  options.connections = 2;
  options.warmup = seconds(0);
  options.duration = seconds(1);
  const auto load = loadgen::run_and_judge(where, options);
  EXPECT_FALSE(load.evidence.totals.empty());
  EXPECT_THAT(called_by_others(before), IsEmpty());
}

TEST(WatchingSessionTest, StandsBeforeItsFirstStatementWhateverTheRoleSays) {
  auto admin = connect();
  const auto where = watcher_at(shared_sandbox().port());
  admin.exec(fmt::format("ALTER ROLE {} SET search_path = public, pg_catalog", kWatcher), soon());
  admin.exec(fmt::format("ALTER ROLE {} SET default_transaction_read_only = off", kWatcher),
             soon());
  {
    auto watching = watch(where.with("options", "-c search_path=public -c work_mem=1MB"));
    EXPECT_EQ(setting(watching, "search_path"), "pg_catalog,pg_temp");
    EXPECT_EQ(setting(watching, "default_transaction_isolation"), "read committed");
    EXPECT_EQ(setting(watching, "transaction_read_only"), "on");
    EXPECT_EQ(setting(watching, "lock_timeout"), "100ms");
    EXPECT_EQ(setting(watching, "work_mem"), "1MB");
    EXPECT_EQ(setting(watching, "application_name"), "pantryd");
    auto plain = pg::Connection::connect(where, soon());
    EXPECT_EQ(setting(plain, "search_path"), "public, pg_catalog");
  }
  admin.exec(fmt::format("ALTER ROLE {} RESET ALL", kWatcher), soon());
}

TEST(WatchingSessionTest, ReadsAStandbyWhoseTransactionsAreSerializable) {
  auto admin = connect();
  const auto where = watcher_at(shared_sandbox().port());
  const auto standby = where.with("port", shared_sandbox().standby().get("port"));
  admin.exec(
      fmt::format("ALTER ROLE {} SET default_transaction_isolation = 'serializable'", kWatcher),
      soon());
  const bool replayed = within(seconds(20), [&] {
    auto plain = pg::Connection::connect(standby, soon());
    return code_of([&] { plain.exec("SELECT count(*) FROM pg_class", soon()); }) == "0A000";
  });
  EXPECT_TRUE(replayed) << "the standby never refused a plain session";
  auto watching = watch(standby);
  EXPECT_TRUE(probes::read_facts(watching, soon()).is_standby);
  EXPECT_TRUE(page_of(standby).find("pg_up{target=\"main\"} 1") != std::string::npos);
  admin.exec(fmt::format("ALTER ROLE {} RESET ALL", kWatcher), soon());
}

class StatementsExtensionTest : public testing::Test {
 protected:
  static ChildResult test_file(const std::string& version) {
    static int number = 0;
    const auto name = fmt::format("extension_{}", ++number);
    auto admin = connect();
    admin.exec("CREATE DATABASE " + name, soon());
    auto inside = pg::Connection::connect(shared_sandbox().primary().with("dbname", name), soon());
    inside.exec_script(fmt::format("CREATE SCHEMA \"Of Others\"; CREATE EXTENSION "
                                   "pg_stat_statements SCHEMA \"Of Others\" VERSION '{}'; GRANT "
                                   "USAGE ON SCHEMA \"Of Others\" TO pg_monitor",
                                   version),
                       soon());
    return pantryd(watcher_at(shared_sandbox().port()).with("dbname", name),
                   {"probes", "test", "--lines", "10000",
                    std::string(places::source_dir) + "/probes/statements.yaml"});
  }
};

// pg_upgrade leaves the extension as it was.
TEST_F(StatementsExtensionTest, ItsVersionDecidesWhatIsAsked) {
  for (const char* version : {"1.8", "1.9", "1.10"}) {
    const auto tried = test_file(version);
    EXPECT_EQ(tried.exit_code, 0) << version << tried.output;
    EXPECT_THAT(tried.output, HasSubstr("pg_stat_statements_calls_total{")) << version;
  }
}

TEST_F(StatementsExtensionTest, OneThatIsTooOldSaysWhatToDo) {
  const auto tried = test_file("1.7");
  EXPECT_THAT(tried.output, HasSubstr("ALTER EXTENSION pg_stat_statements UPDATE"));
  EXPECT_THAT(tried.output, Not(HasSubstr("pg_stat_statements_calls_total{")));
}

TEST(PlainTableTest, ReadsRowsAndLeavesOutWhatIsNotThere) {
  auto admin = connect();
  admin.exec_script(
      "CREATE TABLE public.\"A table\" (id int, \"a text\" text);"
      "INSERT INTO public.\"A table\" VALUES (1, E'a\\tb\\\\n\\nc'), (2, NULL), (3, '\\N')",
      soon());
  auto watching = watch(shared_sandbox().primary());
  const auto rows =
      pg::read_plain_table(watching, "public", "A table", {"missing", "a text", "id"}, 3, soon());
  ASSERT_TRUE(rows);
  const std::vector<pg::CopiedRow> expected{{std::nullopt, "a\tb\\n\nc", "1"},
                                            {std::nullopt, std::nullopt, "2"},
                                            {std::nullopt, "\\N", "3"}};
  EXPECT_EQ(*rows, expected);
  EXPECT_FALSE(pg::read_plain_table(watching, "public", "No table", {"id"}, 3, soon()));
  const auto read = [&](std::size_t rows_max) {
    return code_of([&] {
      (void)pg::read_plain_table(watching, "public", "A table", {"id"}, rows_max, soon());
    });
  };
  EXPECT_EQ(read(2), "54000");
  EXPECT_EQ(read(3), "no error") << "the session is good after a COPY that was given up";
}

TEST_F(PlantedObjectsTest, ViewsAndTablesWithPoliciesAreNoPlainTables) {
  auto watching = watch(planted());
  const auto read = [&](const std::string& schema, const std::string& table) {
    return code_of([&] {
      (void)pg::read_plain_table(watching, schema, table, {"id", "algorithm"}, 9, soon());
    });
  };
  EXPECT_EQ(read("pantryd", "seen"), "42809");
  EXPECT_EQ(read("public", "guarded"), "42501");
  EXPECT_EQ(read("pantryd", "migrations"), "no error");
}

class WatchingThroughAPoolerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(has_pgbouncer()) << "pgbouncer is not installed: ./run install pgbouncer";
  }
};

// What was set once reached the application: "cannot execute INSERT in a read-only transaction".
TEST_F(WatchingThroughAPoolerTest, LentSessionsAreRefusedAndKeepWhatTheyAre) {
  const PgBouncer pooler(shared_sandbox().primary(), {.pool_mode = "transaction", .pool_size = 1});
  const auto check = pantryd(pooler.conninfo(), {"check"});
  EXPECT_NE(check.exit_code, 0);
  EXPECT_THAT(check.output, HasSubstr("is a connection pooler"));
  EXPECT_THAT(check.output, HasSubstr("Name the server's own host and port"));
  auto application = pg::Connection::connect(pooler.conninfo(), soon());
  for (const char* name : {"default_transaction_read_only", "statement_timeout", "lock_timeout",
                           "row_security", "default_transaction_isolation"}) {
    const auto state =
        one(application, fmt::format("SELECT source FROM pg_settings WHERE name = '{}'", name));
    EXPECT_EQ(state, "default") << name;
  }
}

TEST_F(WatchingThroughAPoolerTest, ASessionOfItsOwnIsGuarded) {
  for (const char* ignored : {"extra_float_digits", "extra_float_digits,options"}) {
    const PgBouncer pooler(shared_sandbox().primary(),
                           {.pool_mode = "session",
                            .pool_size = 20,
                            .settings = {{"ignore_startup_parameters", ignored}}});
    auto watching = watch(pooler.conninfo());
    EXPECT_EQ(setting(watching, "search_path"), "pg_catalog,pg_temp") << ignored;
    EXPECT_EQ(setting(watching, "transaction_read_only"), "on") << ignored;
    EXPECT_EQ(setting(watching, "transaction_isolation"), "read committed") << ignored;
  }
}

}  // namespace
}  // namespace pantryd
