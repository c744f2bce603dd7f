// Texts of statements without what is in them, and what the probes cost the server by its own
// account.
#include "probes/statements/statement_texts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/file.h"
#include "probes/engine/exposition.h"
#include "probes/statements/own_cost.h"
#include "serve/coded_probes.h"
#include "tests/support/places.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::probes {
namespace {

using namespace testing_support;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

/// Every way to write it that the server takes as a command of its own. All hold the word "hunter".
const std::vector<std::string> kSecrets = {
    "CREATE ROLE keeper LOGIN PASSWORD 'hunter1'",
    "ALTER ROLE keeper PASSWORD 'hunter2'",
    "ALTER ROLE keeper PASSWORD 'it''s hunter3'",
    "ALTER ROLE keeper PASSWORD E'it\\'s hunter4'",
    "ALTER ROLE keeper PASSWORD $$it's hunter5$$",
    "ALTER ROLE keeper PASSWORD $a_1$it's hunter6$a_1$",
    "ALTER ROLE keeper PASSWORD U&'hunter7 \\0061'",
    "/* it's */ ALTER ROLE keeper PASSWORD 'hunter8'",
    "/* a /* nested */ it's */ ALTER ROLE keeper PASSWORD 'hunter9'",
    "ALTER ROLE keeper -- don't\n PASSWORD 'hunter10'",
    "ALTER ROLE keeper /* \" */ PASSWORD 'hunter11' /* \" */",
    "CREATE ROLE \"it's\" PASSWORD 'hunter12'",
    "SET pantryd_test.word TO hunter13",
    "SET pantryd_test.number = 71077345",
    "COMMENT ON ROLE keeper IS 'hunter14'\n 'hunter15'",
    "DO $x$BEGIN PERFORM 'hunter16'; END$x$",
    "ALTER ROLE keeper SET pantryd_test.y = 'hunter17'",
    "COMMENT ON ROLE keeper IS '" + std::string(3000, 'x') + "' /* ' hunter19 */",
};

std::vector<std::string> all_ids(pg::Connection& connection) {
  const auto rows = connection.exec(
      "SELECT DISTINCT queryid::text FROM pg_stat_statements(false) WHERE queryid IS NOT NULL",
      soon());
  std::vector<std::string> out;
  for (int row = 0; row < rows.rows(); ++row) out.emplace_back(rows.text(row, 0));
  return out;
}

std::string joined(const std::vector<std::string>& ids) {
  std::string out = "{";
  for (const auto& id : ids) out += (out.size() > 1 ? "," : "") + id;
  return out + "}";
}

class Texts : public testing::Test {
 protected:
  Texts() { admin_.exec("SELECT pg_stat_statements_reset()", soon()); }
  ~Texts() override { admin_.exec_script("DROP ROLE IF EXISTS keeper, \"it's\"", soon()); }
  ProbeRun look(const ServerProbe& probe) {
    return probe.run(admin_, read_facts(admin_, soon()), soon());
  }
  std::int64_t questions() {
    return admin_
        .exec(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE "
            "'%chosen AS MATERIALIZED%' AND query NOT LIKE '%calls%'",
            soon())
        .i64(0, 0);
  }
  pg::Connection admin_ = connect();
};

TEST_F(Texts, NoSecretIsInWhatTheServerSends) {
  for (const auto& sql : kSecrets) admin_.exec(sql, soon());
  const auto held = admin_.exec(
      "SELECT count(*) FROM pg_stat_statements WHERE query ~ 'hunter|71077345'", soon());
  ASSERT_GE(held.i64(0, 0), static_cast<std::int64_t>(kSecrets.size()))
      << "the server keeps no secrets, so that this test says nothing";
  const auto sent = admin_.exec(statement_texts_sql(read_facts(admin_, soon())),
                                pg::Params::of(joined(all_ids(admin_))), soon());
  ASSERT_GE(sent.rows(), static_cast<int>(kSecrets.size()));
  std::string all;
  for (int row = 0; row < sent.rows(); ++row) {
    const std::string text(sent.text(row, 1));
    EXPECT_THAT(text, Not(HasSubstr("hunter")));
    EXPECT_THAT(text, Not(HasSubstr("71077345")));
    EXPECT_LE(text.size(), 200U);
    all += text + "\n";
  }
  // What is left still says what it is.
  EXPECT_THAT(all, HasSubstr("\nALTER ROLE keeper PASSWORD ?\n"));
  EXPECT_THAT(all, HasSubstr("CREATE ROLE keeper LOGIN PASSWORD ?\n"));
  EXPECT_THAT(all, HasSubstr("SET pantryd_test.word TO ?\n"));
}

TEST_F(Texts, NamesInQuotesParametersAndOperatorsStay) {
  admin_.exec("SELECT 1 AS \"it's\", relname FROM pg_class WHERE oid = 5 AND relname <> 'x'",
              soon());
  StatementTextsOptions options;
  options.chosen = [&] { return all_ids(admin_); };
  const auto run = look(statement_texts_probe(options));
  std::vector<std::string> told;
  for (const auto& sample : run.samples) told.push_back(sample.labels.at(1).second);
  EXPECT_THAT(told, testing::Contains("SELECT $1 AS \"it's\", relname FROM pg_class WHERE oid = $2 "
                                      "AND relname <> $3"));
}

TEST_F(Texts, TheServerIsAskedForWhatIsNotKnownAndNotSoonAgain) {
  std::vector<std::string> chosen;
  StatementTextsOptions options;
  options.chosen = [&] { return chosen; };
  options.statements_max = 5;
  const auto probe = statement_texts_probe(options);
  EXPECT_EQ(look(probe).outcome, Outcome::ok);
  EXPECT_EQ(questions(), 0) << "asked though nothing is chosen";
  std::string columns = "1";
  for (int i = 0; i < 8; ++i) admin_.exec("SELECT " + (columns += ", 1"), soon());
  chosen = all_ids(admin_);
  ASSERT_GT(chosen.size(), 5U);
  EXPECT_EQ(look(probe).samples.size(), 5U) << "more than statements_max";
  EXPECT_EQ(questions(), 1);
  EXPECT_EQ(look(probe).samples.size(), 5U);
  EXPECT_EQ(questions(), 1) << "asked though all is known";
  chosen.erase(chosen.begin());
  EXPECT_EQ(look(probe).samples.size(), 4U) << "asked again too early, or told what is not chosen";
  EXPECT_EQ(questions(), 1);
}

TEST_F(Texts, AfterThePauseTheServerIsAskedForWhatIsNew) {
  std::vector<std::string> chosen = {"1"};
  StatementTextsOptions options;
  options.chosen = [&] { return chosen; };
  options.pause = milliseconds(1);
  const auto probe = statement_texts_probe(options);
  EXPECT_EQ(look(probe).samples.size(), 0U);
  chosen = all_ids(admin_);
  EXPECT_TRUE(within(seconds(10), [&] { return look(probe).samples.size() > 1; }));
}

TEST_F(Texts, TheyAreOnThePageOnlyWhereTheConfigurationSaysSoAndNoSecretIsInPageOrLog) {
  for (const auto& sql : kSecrets) admin_.exec(sql, soon());
  for (int i = 0; i < 20; ++i) admin_.exec("ALTER ROLE keeper PASSWORD 'hunter20'", soon());
  const auto config = scratch_dir() / "texts.yaml";
  for (const bool wanted : {false, true}) {
    write_file_atomically(
        config,
        fmt::format("probes: {{statement_texts: {}}}\ntargets: [{{name: main, dsn: \"{}\"}}]\n",
                    wanted, shared_sandbox().primary().reveal()));
    const auto file = (scratch_dir() / "texts.page").string();
    const auto done =
        run_binary("sh", {"-c", "\"$0\" --log-level debug metrics --config \"$1\" > \"$2\" 2>&1",
                          places::binary, config.string(), file});
    ASSERT_TRUE(done.ok()) << done.output;
    const auto page = read_file(file);
    const auto has = [&](const char* text) { return page.find(text) != std::string::npos; };
    EXPECT_TRUE(has("pg_stat_statements_calls_total{"));
    EXPECT_FALSE(has("hunter"));
    EXPECT_EQ(has("query=\"ALTER ROLE keeper PASSWORD ?\""), wanted);
    EXPECT_EQ(has("pantryd_statement_info"), wanted);
  }
}

TEST(ToldStatementsTest, HostileNamesAreNoStatements) {
  Exposition page("t");
  const auto info = std::make_shared<const MetricInfo>(
      MetricInfo{"pg_stat_statements_calls_total", MetricType::counter, "C."});
  page.add(info, page.labels({{"user", "x\",queryid=\"77"}, {"queryid", "-12"}}), 1);
  page.add(info, page.labels({{"user", "queryid=\"78\""}, {"queryid", "other"}}), 1);
  ProbeState state;
  state.name = "statements";
  state.families = std::make_shared<const std::vector<FamilyText>>(page.take());
  TargetSnapshot snapshot;
  snapshot.probes.push_back(std::make_shared<const ProbeState>(state));
  EXPECT_THAT(told_statements(snapshot), testing::ElementsAre("-12"));
}

// --- cost

class Cost : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    connect().exec_script("CREATE ROLE costly LOGIN PASSWORD 'costing'; GRANT pg_monitor TO costly",
                          soon());
  }
  static void TearDownTestSuite() {
    connect().exec_script("DROP OWNED BY costly; DROP ROLE costly", soon());
  }
  static pg::Connection login() {
    const auto where = shared_sandbox().primary();
    return pg::Connection::connect(
        where.with("passfile", "").with("user", "costly").with("password", "costing"), soon());
  }
  std::map<std::string, double> look() {
    const auto run = probe_.run(own_, read_facts(own_, soon()), soon());
    EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
    std::map<std::string, double> out;
    for (const auto& sample : run.samples) {
      out[sample.metric->name + (sample.labels.empty() ? "" : "|" + sample.labels[0].second)] =
          sample.value;
    }
    return out;
  }
  void run(const std::string& probe, int times) {
    for (const auto& spec : specs_) {
      if (spec.name != probe) continue;
      ProbeMemory memory(spec);
      for (int i = 0; i < times; ++i) {
        EXPECT_EQ(run_probe(own_, spec, read_facts(own_, soon()), {.target = "t"}, memory).outcome,
                  Outcome::ok);
      }
    }
  }
  /// What the server has for the statements of our role that are like this.
  double server_blocks(const std::string& like) {
    return admin_
        .exec(
            "SELECT sum(shared_blks_hit + shared_blks_read + local_blks_hit + local_blks_read) "
            "FROM pg_stat_statements JOIN pg_roles r ON r.oid = userid WHERE rolname = 'costly' "
            "AND toplevel AND query LIKE $1",
            pg::Params::of(like), soon())
        .f64(0, 0);
  }
  std::vector<ProbeSpec> specs_ = embedded_probes();
  ServerProbe probe_ = own_cost_probe(own_statements(specs_, coded_probes()));
  pg::Connection own_ = login();
  pg::Connection admin_ = connect();
};

TEST_F(Cost, WhatAProbeDoesIsGivenToItAndToNoOther) {
  run("database", 1);
  run("size", 1);
  const auto first = look();
  EXPECT_EQ(first.at("pantryd_probe_server_blocks_total|database"), 0);
  const auto before = server_blocks("%pg_stat_database%");
  run("database", 20);
  const auto then = look();
  EXPECT_GT(server_blocks("%pg_stat_database%"), before);
  EXPECT_EQ(then.at("pantryd_probe_server_blocks_total|database"),
            server_blocks("%pg_stat_database%") - before);
  EXPECT_GT(then.at("pantryd_probe_server_seconds_total|database"), 0);
  EXPECT_EQ(then.at("pantryd_probe_server_seconds_total|size"), 0);
  EXPECT_GT(then.at("pantryd_probe_server_seconds_total|cost"), 0) << "its own";
  EXPECT_GE(then.at("pantryd_own_server_seconds_total"),
            then.at("pantryd_probe_server_seconds_total|database") +
                then.at("pantryd_probe_server_seconds_total|cost"));
  EXPECT_GT(then.at("pantryd_own_server_time_ratio"), 0);
  EXPECT_LE(then.at("pantryd_own_server_time_ratio"), 1);
}

TEST_F(Cost, EveryProbeThatRunsHereIsKnownToTheServerByItsStatements) {
  const auto told = look();
  const auto facts = read_facts(own_, soon());
  for (const auto& spec : specs_) {
    if (spec.scope != Scope::cluster || !applies(spec, facts)) continue;
    if (!spec.relation.empty() || !spec.function.empty()) continue;  // a right that it may lack
    EXPECT_EQ(told.count("pantryd_probe_server_seconds_total|" + spec.name), 1U) << spec.name;
  }
  for (const auto& probe : coded_probes()) {
    EXPECT_EQ(told.count("pantryd_probe_server_seconds_total|" + probe.name),
              probe.statements.empty() ? 0U : 1U)
        << probe.name;
  }
}

TEST_F(Cost, CountersDoNotFallAtAReset) {
  (void)look();
  run("database", 5);
  const auto before = look();
  admin_.exec("SELECT pg_stat_statements_reset()", soon());
  run("database", 2);
  const auto after = look();
  EXPECT_GT(after.at("pantryd_probe_server_seconds_total|database"),
            before.at("pantryd_probe_server_seconds_total|database"));
}

TEST_F(Cost, WhereTheServerTellsNoIdentifiersTheTotalOfTheRoleIsToldAlone) {
  // The probe's own identifiers are asked for with this switched off, its entries are there.
  run("database", 2);
  admin_.exec("ALTER ROLE costly SET compute_query_id = 'auto'", soon());
  EXPECT_EQ(query_identifier("[{\"Plan\": {}}]"), "");
  EXPECT_EQ(query_identifier("no json"), "");
  EXPECT_EQ(query_identifier("[{\"Plan\": {}, \"Query Identifier\": -42}]"), "-42");
  auto blind = own_cost_probe({});
  const auto run_of = blind.run(own_, read_facts(own_, soon()), soon());
  std::set<std::string> names;
  for (const auto& sample : run_of.samples) names.insert(sample.metric->name);
  EXPECT_EQ(names.count("pantryd_own_server_seconds_total"), 1U);
}

TEST_F(Cost, WithoutTheExtensionItDoesNotApply) {
  auto facts = read_facts(own_, soon());
  facts.extensions.clear();
  EXPECT_EQ(probe_.run(own_, facts, soon()).outcome, Outcome::not_applicable);
  EXPECT_EQ(statement_texts_probe({}).run(own_, facts, soon()).outcome, Outcome::not_applicable);
}

}  // namespace
}  // namespace pantryd::probes
