// The search against a server whose capacity is known: eight connections that sleep 10 ms carry
// 800 operations a second, whatever machine it is.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/capacity/ceiling.h"
#include "loadgen/capacity/ceiling_store.h"
#include "loadgen/report/ceiling_forms.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::run_binary;
using testing_support::shared_sandbox;

constexpr auto kLimit = 30s;
constexpr double kConnections = 8;
constexpr double kServiceS = 0.01;

constexpr const char* kSleep =
    "version: 1\nname: sleep\noperations:\n  - name: nap\n    weight: 1\n"
    "    slo: {p99: 80ms}\n    steps: [{sql: 'SELECT pg_sleep(0.01)'}]\n";

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kLimit));
}

CeilingOptions short_search() {
  CeilingOptions options;
  options.load.workload = parse_workload(kSleep, "sleep.yaml");
  options.load.connections = 8;
  options.load.users = 10'000;
  options.search.trial = 1s;
  options.search.budget = 200s;
  options.search.width_max = 0.1;
  options.search.anneal = false;
  return options;
}

std::string written(const std::string& name, const std::string& text) {
  const auto path = testing_support::scratch_dir() / name;
  write_file_atomically(path, text);
  return path.string();
}

TEST(FindMaxRunTest, TheIntervalLiesBelowWhatEightSleepersCarryAndIsStoredAndExported) {
  const auto ceiling = find_ceiling(shared_sandbox().primary(), short_search());
  const auto& search = ceiling.search;
  ASSERT_EQ(search.verdict, Verdict::pass) << to_text(ceiling);
  EXPECT_LE(*search.width(), 0.1);
  EXPECT_EQ(search.confirmed, 3);
  // Above is impossible, but for the scatter of a Poisson count in a trial of four seconds. Below,
  // a machine at work gives the sleepers less than theory does, and tells so in the closed loop.
  EXPECT_LT(*search.low_per_s, 1.08 * kConnections / kServiceS) << to_text(ceiling);
  EXPECT_GT(*search.high_per_s, 0.5 * *search.closed_loop_per_s) << to_text(ceiling);
  EXPECT_LE(*search.closed_loop_per_s, 1.01 * kConnections / kServiceS);
  EXPECT_GT(*search.client_ceiling_per_s, 2 * *search.low_per_s);
  // Three confirmations, each with a checkpoint before it.
  EXPECT_GE(ceiling.checkpoints_seen, 3);
  // Each operation is one transaction; what else runs in a sandbox is little.
  ASSERT_TRUE(ceiling.transactions_per_operation);
  EXPECT_NEAR(*ceiling.transactions_per_operation, 1, 0.1);
  EXPECT_EQ(nlohmann::json::parse(to_json(ceiling))["trials"].size(), search.points.size());

  EXPECT_EQ(store_ceiling(shared_sandbox().primary(), ceiling), "");
  EXPECT_EQ(store_ceiling(shared_sandbox().primary(), ceiling), "");
  EXPECT_EQ(connect()
                .exec("SELECT count(*) FROM pantryd.load_ceiling WHERE workload = 'sleep'",
                      Deadline::in(kLimit))
                .i64(0, 0),
            2);
  connect().exec_script(
      "CREATE ROLE ceiling_watcher LOGIN PASSWORD 'only watches' IN ROLE pg_monitor",
      Deadline::in(kLimit));
  const auto watcher = shared_sandbox().primary().with("user", "ceiling_watcher");
  // By way of grep: what a command may say to a test has a limit, and this page is longer.
  const auto metrics =
      run_binary("/bin/sh", {"-c", "\"$0\" --dsn \"$1\" metrics | grep pantryd_load_ceiling",
                             places::binary, watcher.with("password", "only watches").reveal()});
  EXPECT_THAT(metrics.output,
              HasSubstr("pantryd_load_ceiling_per_second{datname=\"zion_grocery_db\","
                        "workload=\"sleep\",mode=\"faithful\",users=\"10000\",connections=\"8\""));
  EXPECT_THAT(metrics.output, HasSubstr("pantryd_load_ceiling_age_seconds{"));
  EXPECT_THAT(metrics.output, HasSubstr("pantryd_load_ceiling_transactions_per_second{"));
}

TEST(FindMaxRunTest, ACeilingOfAnEarlierBuildIsNotExportedAndItsTableTakesTheNextOne) {
  connect().exec_script(
      "CREATE SCHEMA IF NOT EXISTS pantryd; DROP TABLE IF EXISTS pantryd.load_ceiling;"
      "CREATE TABLE pantryd.load_ceiling (measured_at timestamptz NOT NULL, workload text NOT NULL,"
      " mode text NOT NULL, users bigint NOT NULL, connections bigint NOT NULL,"
      " low_per_s double precision NOT NULL, high_per_s double precision NOT NULL,"
      " transactions_per_s double precision, slo jsonb NOT NULL, server_version text NOT NULL,"
      " dataset jsonb, database_bytes bigint, hysteresis boolean,"
      " PRIMARY KEY (workload, mode, users, connections, measured_at));"
      "INSERT INTO pantryd.load_ceiling (measured_at, workload, mode, users, connections,"
      " low_per_s, high_per_s, slo, server_version)"
      " VALUES (now(), 'earlier', 'faithful', 8, 8, 2000, 2100, '{}', '15.1')",
      Deadline::in(kLimit));
  const auto exported = [] {
    return run_binary("/bin/sh",
                      {"-c", "\"$0\" --dsn \"$1\" metrics | grep pantryd_load_ceiling; true",
                       places::binary, testing_support::dsn_of(shared_sandbox().primary())})
        .output;
  };
  EXPECT_THAT(exported(), testing::Not(HasSubstr("earlier")));
  Ceiling ceiling;
  ceiling.options = short_search();
  ceiling.search.verdict = Verdict::pass;
  ceiling.search.low_per_s = 100;
  ceiling.search.high_per_s = 104;
  EXPECT_EQ(store_ceiling(shared_sandbox().primary(), ceiling), "");
  EXPECT_THAT(exported(), HasSubstr("workload=\"sleep\""));
  EXPECT_THAT(exported(), testing::Not(HasSubstr("earlier")));
}

TEST(FindMaxRunTest, AnSloThatNobodyCanMeetFailsAtOnceAndIsNotStored) {
  const auto file = written("sleep.yaml", kSleep);
  const auto out = (testing_support::scratch_dir() / "fail.json").string();
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  const auto told = run_binary(
      places::binary, {"--dsn", dsn, "load", "find-max", "--workload", file, "--connections", "8",
                       "--slo", "5ms", "--trial", "1s", "--budget", "100s", "--out", out});
  EXPECT_EQ(told.exit_code, 1) << told.output;
  EXPECT_THAT(told.output, HasSubstr("No rate is sustainable"));
  EXPECT_THAT(told.output, HasSubstr("not stored"));
  const auto json = nlohmann::json::parse(read_file(out));
  EXPECT_EQ(json["format"], "pantryd.find_max");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["verdict"], "FAIL");
  EXPECT_TRUE(json["low_per_s"].is_null());
}

TEST(FindMaxRunTest, APersonEndsTheSearchAndKeepsWhatWasFound) {
  StopFlag stop;
  CeilingProgress progress;
  // While the next trial connects, and not in the midst of one.
  progress.begins = [&](const Trial& trial, std::size_t) {
    if (trial.purpose == Purpose::base) stop.request();
  };
  const auto ceiling = find_ceiling(shared_sandbox().primary(), short_search(), progress, &stop);
  EXPECT_EQ(ceiling.search.verdict, Verdict::inconclusive);
  EXPECT_TRUE(ceiling.search.closed_loop_per_s);
  EXPECT_THAT(to_text(ceiling), HasSubstr("Ended early"));
}

TEST(FindMaxRunTest, AStandbyTakesNoCeilingAndThatIsSaid) {
  Ceiling ceiling;
  ceiling.options = short_search();
  ceiling.search.verdict = Verdict::pass;
  ceiling.search.low_per_s = 100;
  ceiling.search.high_per_s = 104;
  EXPECT_THAT(store_ceiling(shared_sandbox().standby(), ceiling), HasSubstr("not stored"));
}

TEST(FindMaxRunTest, WhatCannotBeSearchedIsRefusedWithTheRightCode) {
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  const auto no_slo = written("free.yaml",
                              "version: 1\nname: free\noperations:\n  - name: one\n    weight: 1\n"
                              "    steps: [{sql: 'SELECT 1'}]\n");
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--dsn", dsn, "load", "find-max", "--workload", no_slo};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_binary(places::binary, arguments);
  };
  const auto without = run({});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.output, HasSubstr("--slo"));
  EXPECT_EQ(run({"--slo", "5ms", "--trial", "5s", "--budget", "20s"}).exit_code, 2);
  EXPECT_EQ(run({"--slo", "5ms", "--checkpoint", "often"}).exit_code, 2);
  EXPECT_EQ(run({"--slo", "0ms"}).exit_code, 2);
  const auto absent =
      run_binary(places::binary, {"--dsn", "host=127.0.0.1 port=1 user=x", "load", "find-max"});
  EXPECT_EQ(absent.exit_code, 8) << absent.output;
}

}  // namespace
}  // namespace pantryd::loadgen
