// The load generator against targets about which theory knows everything.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "loadgen/judge/judged_run.h"
#include "loadgen/null/null_server.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/queueing.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;

LoadOptions against_nothing() {
  LoadOptions options;
  options.workload = null_workload(load_workload(""));
  options.connections = 4;
  options.duration = 2s;
  options.warmup = 0ms;
  options.raise_priority = false;
  return options;
}

Workload one_statement() {
  return parse_workload(
      "version: 1\nname: w\noperations:\n  - name: one\n    weight: 1\n"
      "    steps: [{sql: 'SELECT 1'}]\n",
      "w.yaml");
}

TEST(NullTargetTest, EveryOperationOfTheGroceryRunsAgainstNothingInBothModes) {
  for (const auto mode : {Mode::faithful, Mode::pipelined}) {
    const NullServer server;
    auto options = against_nothing();
    options.mode = mode;
    const auto result = run_and_judge(server.where(), options);
    EXPECT_EQ(result.errors(), 0) << to_text(result);
    EXPECT_EQ(result.offered(), result.completed() + result.not_started());
    EXPECT_EQ(result.server_version, "0 (null target)");
    for (const auto& each : result.operations) EXPECT_GT(each.totals.completed, 0) << each.name;
    // A round trip a statement in the one mode, one or a few an operation in the other.
    EXPECT_GE(server.answered(), result.completed());
    if (mode == Mode::faithful) {
      EXPECT_GT(server.answered(), result.completed() * 5 / 4);
    }
  }
}

TEST(NullTargetTest, AnOpenLoopIsDeliveredWhole) {
  const NullServer server;
  auto options = against_nothing();
  options.rate_per_s = 500;
  options.duration = 3s;
  const auto result = run_and_judge(server.where(), options);
  EXPECT_EQ(result.offered(), result.completed()) << to_text(result);
  EXPECT_NEAR(static_cast<double>(result.offered()), 1500, 200);
}

TEST(NullTargetTest, WhatNeedsACatalogueIsRefusedAndTheConnectionGoesOn) {
  const NullServer server;
  auto connection = pg::Connection::connect(server.where(), Deadline::in(10s));
  for (int i = 0; i < 2; ++i) {
    try {
      (void)connection.exec("SELECT count(*) FROM pg_class", Deadline::in(10s));
      FAIL() << "a null target has no catalogue";
    } catch (const pg::PgError& error) {
      EXPECT_EQ(error.sqlstate(), "0A000");
    }
  }
  // What a load run asks before it begins.
  EXPECT_EQ(connection
                .exec("SELECT pg_backend_pid(), current_setting('max_connections')::int8, 0, 0",
                      Deadline::in(10s))
                .i64(0, 1),
            2000);
  EXPECT_TRUE(connection.exec("SELECT name, setting FROM pg_settings", Deadline::in(10s)).empty());
  EXPECT_EQ(connection.exec("SHOW server_version", Deadline::in(10s)).text(0, 0),
            "0 (null target)");
}

struct Expected {
  double low_us = 0, high_us = 0;
};

/// Where a figure of `arrivals` responses lies in 199 of 200 runs, by simulation.
Expected envelope(int servers, double rate_per_s, std::int64_t arrivals, double service_s,
                  const std::function<double(std::vector<double>&)>& figure) {
  std::vector<double> found;
  Random random(99);
  for (int i = 0; i < 800; ++i) {
    auto responses = testing_support::simulate_queue(
        servers, rate_per_s, arrivals, random,
        [&](Random& r) { return testing_support::draw_exponential(r, service_s); });
    found.push_back(1e6 * figure(responses));
  }
  std::sort(found.begin(), found.end());
  return {found[2], found[found.size() - 3]};
}

double mean_of(std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double p90_of(std::vector<double>& values) {
  const auto at = static_cast<std::ptrdiff_t>(0.9 * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// Queues before the client's pool (as many connections as servers), or before the servers.
class QueueTest : public testing::TestWithParam<std::int64_t> {};

TEST_P(QueueTest, ResponseTimesAreWhatErlangSays) {
  constexpr int kServers = 4;
  NullService service;
  service.servers = kServers;
  service.mean_s = 0.05;
  const NullServer server(service);
  auto options = against_nothing();
  options.workload = one_statement();
  options.connections = GetParam();
  options.users = 10'000;
  options.rate_per_s = 60;  // three quarters of 4 / 50 ms
  options.duration = 20s;
  options.raise_priority = true;
  const auto result = run_and_judge(server.where(), options);
  ASSERT_EQ(result.errors() + result.not_started(), 0) << to_text(result);
  const auto& totals = result.operations[0].totals;
  // The service time that the servers really gave: a busy machine wakes them late.
  const double service_s = server.service_times().mean_us() / 1e6;
  const double rate = static_cast<double>(result.offered()) / 20;
  const auto mean = envelope(kServers, rate, result.offered(), service_s, mean_of);
  const auto p90 = envelope(kServers, rate, result.offered(), service_s, p90_of);
  const double slack_us = 2'000;  // two loops that wake each other
  EXPECT_GT(totals.response.mean_us(), mean.low_us) << to_text(result);
  EXPECT_LT(totals.response.mean_us(), mean.high_us + slack_us) << to_text(result);
  EXPECT_GT(static_cast<double>(totals.response.quantile_us(0.9)), p90.low_us);
  EXPECT_LT(static_cast<double>(totals.response.quantile_us(0.9)), p90.high_us + slack_us);
  // The three clocks: what waits before the pool is wait, what waits in the server is service.
  EXPECT_NEAR(totals.response.mean_us(), totals.service.mean_us() + totals.wait.mean_us(), 1'000);
  if (GetParam() == kServers) {
    EXPECT_NEAR(totals.service.mean_us(), service_s * 1e6, slack_us);
    EXPECT_GT(totals.wait.mean_us(), 3'000);
  } else {
    EXPECT_GT(totals.service.mean_us(), service_s * 1e6 + 3'000);
  }
}

INSTANTIATE_TEST_SUITE_P(BeforeThePoolAndBeforeTheServer, QueueTest, testing::Values(4, 64));

TEST(QueueTheoryTest, TheFormulaAndTheSimulationAgree) {
  Random random(4);
  auto responses = testing_support::simulate_queue(
      4, 60, 400'000, random, [](Random& r) { return testing_support::draw_exponential(r, 0.05); });
  std::int64_t above = 0;
  for (const double each : responses) above += each > 0.2 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(above) / 400'000,
              testing_support::mmc_response_above(4, 60, 0.05, 0.2), 0.004);
  EXPECT_NEAR(testing_support::erlang_c(4, 3), 0.5094, 0.0005);  // the tables' value
}

}  // namespace
}  // namespace pantryd::loadgen
