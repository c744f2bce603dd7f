// `probes test FILE`: an operator's own probe file, good and bad, under the daemon's guards.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/support/migrate_database.h"

namespace pantryd {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace testing_support;

std::string file_of(const std::string& text) {
  const auto file = scratch_dir() / "own.yaml";
  write_file_atomically(file, text);
  return file.string();
}

std::string probe(const std::string& sql, const std::string& more = "") {
  return "name: own\nsummary: Ours.\n" + more + "queries:\n  - sql: \"" + sql +
         "\"\n    labels: [kind]\n    metrics:\n"
         "      - {name: own_items, column: items, type: gauge, help: Items.}\n"
         "      - {name: own_price, column: price, type: gauge, help: Price.}\n";
}

ChildResult try_on(const pg::Conninfo& where, const std::string& text,
                   std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"probes", "test", file_of(text)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return pantryd_run(arguments, where);
}

ChildResult try_it(const std::string& text, std::vector<std::string> more = {}) {
  return try_on(shared_sandbox().primary(), text, std::move(more));
}

TEST(ProbesTestFileTest, AGoodProbeIsToldWithItsRowsItsSeriesAndItsText) {
  const auto result = try_it(probe("SELECT 'k' || i AS kind, i AS items, 2 * i AS price FROM "
                                   "generate_series(1, 30) i"),
                             {"--lines", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("30 rows, 60 series"));
  EXPECT_THAT(result.output, HasSubstr("own_items{kind=\"k3\",target=\"main\"} 3"));
  EXPECT_THAT(result.output, Not(HasSubstr("kind=\"k4\"")));
}

TEST(ProbesTestFileTest, AColumnThatIsMissingIsNamedAndCostsTheExitCode) {
  const auto result = try_it(probe("SELECT 'k' AS kind, 1 AS items"));
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr("the answer has no column price"));
  EXPECT_THAT(result.output, HasSubstr("no series of own_price"));
  EXPECT_THAT(result.output, HasSubstr("own_items{kind=\"k\",target=\"main\"} 1"));
}

TEST(ProbesTestFileTest, TheGuardsOfTheDaemonHoldTimeLimitLockAndReadOnly) {
  auto result = try_it(
      probe("SELECT 'k' AS kind, 1 AS items, 1 AS price FROM pg_sleep(30)", "timeout: 1s\n"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("query 1: timeout"));

  auto admin = connect(shared_sandbox().primary());
  admin.exec("CREATE TABLE held AS SELECT 1 AS a", soon());
  admin.exec_script("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE", soon());
  result = try_it(probe("SELECT 'k' AS kind, a AS items, a AS price FROM public.held"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("query 1: lock_skipped"));
  admin.exec_script("ROLLBACK; DROP TABLE held", soon());

  result = try_it(probe("SELECT 'k' AS kind, 1 AS items, a AS price FROM held"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("a probe names the schema of what is not in pg_catalog"));

  result = try_it(probe("CREATE TABLE written AS SELECT 1 AS a"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("read-only"));
}

TEST(ProbesTestFileTest, AFileThatIsNoProbeIsRefusedWithItsPlaceAndAClashWithItsOwner) {
  auto result = try_it("name: own\nsummary: x\nqueries:\n  - sql: SELECT 1\n    metrix: []\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("own.yaml:"));
  const std::string one = "name: own\nsummary: x\nqueries:\n  - sql: SELECT 1 AS x\n    metrics: [";
  result = try_it(one + "{name: pg_static, column: x, type: gauge, help: h}]\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("pg_static"));
  result = try_it(one + "{name: pg_up, column: x, type: gauge, help: h}]\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("the metric name pg_up is reserved for the daemon"));
  EXPECT_EQ(
      pantryd_run({"probes", "test", "/nonexistent.yaml"}, shared_sandbox().primary()).exit_code,
      2);
}

TEST(ProbesTestFileTest, AProbeThatDoesNotApplySaysWhyAndIsNoFailure) {
  const std::string query = "SELECT 'k' AS kind, 1 AS items, 1 AS price";
  auto result = try_it(probe(query, "roles: [standby]\n"));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("not_applicable: it is not for a primary"));
  EXPECT_THAT(try_it(probe(query, "extension: nosuch\n")).output, HasSubstr("no extension nosuch"));
  EXPECT_THAT(try_it(probe(query, "relation: public.nosuch\n")).output,
              HasSubstr("no relation public.nosuch"));
}

TEST(ProbesTestFileTest, AServerThatIsNotThereIsEightAndJsonTellsTheSame) {
  const std::string query = "SELECT 'k' AS kind, 1 AS items, 1 AS price";
  EXPECT_EQ(try_on(shared_sandbox().primary().with("port", "1"), probe(query)).exit_code, 8);
  const auto result = try_it(probe(query), {"--json"});
  const auto json = nlohmann::json::parse(result.output);
  EXPECT_EQ(json["format"], "pantryd.probe_test");
  EXPECT_EQ(json["queries"][0]["outcome"], "ok");
  EXPECT_EQ(json["queries"][0]["rows"], 1);
  EXPECT_EQ(json["queries"][0]["series"], 2);
}

}  // namespace
}  // namespace pantryd
