// The next bottleneck by the evidence of real runs, each made so that one thing must be it, and the
// surroundings that make a run INVALID.
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "loadgen/judge/bottleneck.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing_support::connect;
using testing_support::one;
using testing_support::shared_sandbox;
using testing_support::soon;

LoadOptions closed_loop(const std::string& steps, std::int64_t connections) {
  LoadOptions options;
  options.workload = parse_workload(
      "version: 1\nname: w\noperations:\n  - name: op\n    weight: 1\n" + steps, "w.yaml");
  options.connections = connections;
  options.duration = 5s;
  options.warmup = 500ms;
  return options;
}

LoadResult run(const LoadOptions& options, const ProgressFn& progress = {}) {
  return run_and_judge(shared_sandbox().primary(), options, progress);
}

/// What the server's evidence says, whatever a busy machine did to the client meanwhile.
Bottleneck of_server(const LoadResult& result) {
  auto facts = bottleneck_facts(result);
  facts.client_finding.clear();
  return name_bottleneck(facts);
}

std::vector<std::string> codes(const LoadResult& result) {
  std::vector<std::string> out;
  for (const auto& each : result.self_check.findings) out.push_back(each.code);
  return out;
}

TEST(LoadBottleneckTest, ARowThatEverybodyWantsIsALock) {
  connect().exec_script(
      "DROP TABLE IF EXISTS hot; CREATE TABLE hot (id int PRIMARY KEY, n int); INSERT INTO hot "
      "VALUES (1, 0)",
      soon());
  const auto result = run(closed_loop(
      "    transaction: true\n    steps: [{sql: 'UPDATE hot SET n = n + 1 WHERE id = 1'}, {sql: "
      "'SELECT pg_sleep(0.01)'}]\n",
      8));
  const auto found = of_server(result);
  EXPECT_EQ(found.name, "lock") << to_text(result);
  EXPECT_THAT(found.text, HasSubstr("rows of public.hot")) << to_text(result);
  EXPECT_THAT(to_text(result), HasSubstr("next limit: "));
}

TEST(LoadBottleneckTest, CommitsThatWaitForTheirFlushAreToldAsSuch) {
  auto owner = connect();
  owner.exec_script("DROP TABLE IF EXISTS log; CREATE TABLE log (n int)", soon());
  // The first that commits waits 20 ms for company, and the others wait for it.
  owner.exec("ALTER SYSTEM SET commit_delay = 20000", soon());
  owner.exec("ALTER SYSTEM SET commit_siblings = 0", soon());
  owner.exec("SELECT pg_reload_conf()", soon());
  ASSERT_TRUE(
      testing_support::within(30s, [&] { return one(owner, "SHOW commit_delay") == "20000"; }));
  const auto result = run(closed_loop("    steps: [{sql: 'INSERT INTO log VALUES (1)'}]\n", 16));
  owner.exec("ALTER SYSTEM RESET commit_delay", soon());
  owner.exec("ALTER SYSTEM RESET commit_siblings", soon());
  owner.exec("SELECT pg_reload_conf()", soon());
  EXPECT_EQ(of_server(result).name, "commit") << to_text(result);
  EXPECT_GT(result.evidence.totals.at("wal_bytes"), 0);
}

TEST(LoadBottleneckTest, MoreWorkThanProcessorsIsTheProcessors) {
  const auto connections = std::min(100U, 4 * std::max(1U, std::thread::hardware_concurrency()));
  const auto result =
      run(closed_loop("    steps: [{sql: 'SELECT count(*) FROM generate_series(1, 20000) a, "
                      "generate_series(1, 30) b'}]\n",
                      static_cast<std::int64_t>(connections)));
  EXPECT_TRUE(result.environment.server_local);
  EXPECT_EQ(of_server(result).name, "cpu") << to_text(result);
}

TEST(LoadBottleneckTest, APoolThatIsTooSmallIsTheConnections) {
  auto options = closed_loop("    steps: [{sql: 'SELECT pg_sleep(0.05)'}]\n", 2);
  options.rate_per_s = 100;  // two carry forty
  options.users = 10'000;
  options.drain_limit = 1s;
  const auto result = run(options);
  EXPECT_EQ(of_server(result).name, "connections") << to_text(result);
}

TEST(LoadBottleneckTest, WhereTheServerHasRoomNothingStandsOut) {
  auto options = closed_loop("    steps: [{sql: 'SELECT 1'}]\n", 4);
  options.rate_per_s = 20;
  EXPECT_EQ(of_server(run(options)).name, "none");
}

/// Calls `work` once, when the measured part has run for a second.
class InTheMiddle {
 public:
  template <typename Work>
  explicit InTheMiddle(Work work)
      : thread_([this, work] {
          if (testing_support::within(
                  60s, [this] { return second_ >= 0; }, 10ms)) {
            work();
          }
        }) {}
  ~InTheMiddle() { thread_.join(); }
  InTheMiddle(const InTheMiddle&) = delete;
  InTheMiddle& operator=(const InTheMiddle&) = delete;
  [[nodiscard]] ProgressFn progress() {
    return [this](const LiveState& live) { second_ = live.second; };
  }

 private:
  std::atomic<std::int64_t> second_{-1};
  std::thread thread_;
};

TEST(LoadSurroundingsTest, ASettingThatChangesMeanwhileMakesTheRunInvalid) {
  auto options = closed_loop("    steps: [{sql: 'SELECT 1'}]\n", 4);
  options.rate_per_s = 50;
  LoadResult result;
  {
    InTheMiddle middle([] {
      auto owner = connect();
      owner.exec("ALTER SYSTEM SET work_mem = '5MB'", soon());
      owner.exec("SELECT pg_reload_conf()", soon());
    });
    result = run(options, middle.progress());
  }
  auto owner = connect();
  owner.exec("ALTER SYSTEM RESET work_mem", soon());
  owner.exec("SELECT pg_reload_conf()", soon());
  EXPECT_EQ(result.verdict, Verdict::invalid) << to_text(result);
  EXPECT_THAT(codes(result), Contains("settings"));
  EXPECT_THAT(to_text(result), HasSubstr("1 settings of the server changed during the run: "
                                         "work_mem"));
}

TEST(LoadSurroundingsTest, AReloadThatChangesNothingIsToldAndIsNoFinding) {
  auto options = closed_loop("    steps: [{sql: 'SELECT 1'}]\n", 4);
  options.rate_per_s = 50;
  LoadResult result;
  {
    InTheMiddle middle([] { connect().exec("SELECT pg_reload_conf()", soon()); });
    result = run(options, middle.progress());
  }
  EXPECT_THAT(codes(result), testing::Not(Contains("settings")));
  EXPECT_THAT(result.self_check.warnings, Contains(HasSubstr("no setting changed")));
}

TEST(LoadSurroundingsTest, WorkInAnotherDatabaseMakesTheRunInvalid) {
  auto options = closed_loop("    steps: [{sql: 'SELECT 1'}]\n", 4);
  options.rate_per_s = 50;
  std::atomic<bool> done{false};
  std::thread other([&done] {
    auto neighbour =
        pg::Connection::connect(shared_sandbox().primary().with("dbname", "postgres"), soon());
    while (!done) neighbour.exec("SELECT 1", soon());
  });
  const auto result = run(options);
  done = true;
  other.join();
  EXPECT_EQ(result.verdict, Verdict::invalid) << to_text(result);
  EXPECT_THAT(codes(result), Contains("other_databases"));
}

TEST(LoadSurroundingsTest, TheEvidenceStandsInTheResultOnTheAxisOfTheRun) {
  auto options = closed_loop("    steps: [{sql: 'SELECT count(*) FROM pg_class'}]\n", 4);
  options.rate_per_s = 100;
  connect().exec_script("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", soon());
  const auto result = run(options);
  const auto json = nlohmann::json::parse(to_json(result));
  const auto& evidence = json["evidence"];
  EXPECT_TRUE(evidence["note"].is_null()) << evidence["note"];
  ASSERT_GE(evidence["seconds"].size(), 3U);
  double commits = 0;
  for (const auto& second : evidence["seconds"]) {
    EXPECT_GE(second["from_s"].get<double>(), -1.0);
    const double length = second["to_s"].get<double>() - second["from_s"].get<double>();
    if (second["per_s"].contains("commits")) {
      commits += length * second["per_s"]["commits"].get<double>();
    }
  }
  EXPECT_GT(commits, 100);
  EXPECT_EQ(json["environment"]["server"]["version"], result.server_version);
  EXPECT_GE(evidence["observer"]["looks"].get<int>(), 3);
  ASSERT_FALSE(evidence["statements"].empty());
  EXPECT_EQ(evidence["statements"][0]["text"], "SELECT count(*) FROM pg_class");
  EXPECT_GE(evidence["statements"][0]["calls"].get<double>(), 100);
}

TEST(LoadSurroundingsTest, AServerWithoutRoomForTheObserverCostsTheEvidenceAndNotTheRun) {
  auto owner = connect();
  owner.exec_script(
      "DROP ROLE IF EXISTS narrow; CREATE ROLE narrow LOGIN PASSWORD 'of-tests' CONNECTION LIMIT 2",
      soon());
  auto options = closed_loop("    steps: [{sql: 'SELECT 1'}]\n", 2);
  options.rate_per_s = 20;
  options.duration = 2s;
  const auto where = shared_sandbox()
                         .primary()
                         .with("passfile", "")
                         .with("user", "narrow")
                         .with("password", "of-tests");
  const auto result = run_and_judge(where, options);
  EXPECT_GT(result.completed(), 10);
  EXPECT_THAT(result.evidence.note, HasSubstr("could not be looked at"));
  EXPECT_THAT(to_json(result), testing::Not(HasSubstr("of-tests")));
}

}  // namespace
}  // namespace pantryd::loadgen
