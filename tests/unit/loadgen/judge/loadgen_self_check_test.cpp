// The limits at which a load run counts as limited by its client.
#include <gmock/gmock.h>

#include <cmath>

#include "base/random.h"
#include "loadgen/drive/loop_watch.h"
#include "loadgen/drive/schedule.h"
#include "loadgen/judge/self_check.h"
#include "loadgen/judge/verdict.h"

namespace pantryd::loadgen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kS = 1'000 * kMs;

std::vector<std::string> codes(const SelfCheckFacts& facts) {
  std::vector<std::string> out;
  for (const auto& each : check_self(facts).findings) out.push_back(each.code);
  return out;
}

/// Of a client at which nothing is wrong.
SelfCheckFacts fine() {
  SelfCheckFacts out;
  out.measured_s = 30;
  out.planned = 30'000;
  out.offered = 30'050;
  out.poisson = true;
  out.cpu_share = 0.4;
  out.start_lag_count = 20'000;
  out.start_lag_p99_us = 300;
  out.connections = 100;
  out.loop.threads = 1;
  for (int i = 0; i < 1000; ++i) out.loop.take_over.record(100);
  out.host.elapsed_s = 30;
  out.host.steal_share = 0.001;
  out.host.steal_s = 0.06;
  out.host.throttled = 0;
  out.server.elapsed_s = 35;
  out.server.own_transactions = 35'000;
  out.server.own_active_s = 20;
  return out;
}

TEST(SelfCheckTest, AClientAtWhichNothingIsWrongHasNoFinding) {
  const auto check = check_self(fine());
  EXPECT_THAT(check.findings, IsEmpty());
  EXPECT_THAT(check.warnings, IsEmpty());
}

TEST(SelfCheckTest, EachLimitIsFoundAloneAndTellsItsNumbers) {
  const auto expect = [](const char* code, const char* number, auto change) {
    auto facts = fine();
    change(facts);
    const auto check = check_self(facts);
    ASSERT_EQ(check.findings.size(), 1U) << code;
    EXPECT_EQ(check.findings[0].code, code);
    EXPECT_THAT(check.findings[0].text, HasSubstr(number));
  };
  expect("start_lag", "6.0 ms", [](auto& facts) { facts.start_lag_p99_us = 6'000; });
  expect("take_over_lag", "20.", [](auto& facts) {
    for (int i = 0; i < 20; ++i) facts.loop.take_over.record(20'000);
  });
  expect("cpu", "91 %", [](auto& facts) { facts.cpu_share = 0.91; });
  expect("stalls", "20 times, 1.3 %", [](auto& facts) {
    facts.loop.stalls = 20;
    facts.loop.stalled_us = 400'000;
    facts.loop.longest_stall_us = 30'000;
  });
  expect("stood_still", "270 ms", [](auto& facts) {
    facts.loop.stalls = 1;
    facts.loop.stalled_us = facts.loop.longest_stall_us = 270'000;
  });
  expect("suspended", "2.0 s", [](auto& facts) { facts.loop.suspended_s = 2; });
  expect("clock", "80 ms", [](auto& facts) { facts.loop.clock_step_s = 0.08; });
  expect("arrivals", "28000 instead of 30000", [](auto& facts) { facts.offered = 28'000; });
  expect("steal", "3.0 %", [](auto& facts) {
    facts.host.steal_share = 0.03;
    facts.host.steal_s = 1.8;
  });
  expect("throttled", "7 times, 0.90 s", [](auto& facts) {
    facts.host.throttled = 7;
    facts.host.throttled_s = 0.9;
  });
  expect("connections", "10.0 of 100", [](auto& facts) { facts.loop.missing_connection_s = 300; });
  expect("settings", "work_mem", [](auto& facts) { facts.server.changed_settings = {"work_mem"}; });
  expect("other_databases", "9000 transactions",
         [](auto& facts) { facts.server.other_transactions = 9'000; });
  expect("other_databases", "4.0 s", [](auto& facts) { facts.server.other_active_s = 4; });
}

TEST(SelfCheckTest, WhatIsWithinItsLimitIsNoFinding) {
  auto facts = fine();
  facts.start_lag_p99_us = 4'900;
  facts.cpu_share = 0.84;
  facts.loop.stalls = 20;
  facts.loop.stalled_us = 280'000;
  facts.loop.longest_stall_us = 240'000;
  facts.loop.clock_step_s = 0.04;
  facts.offered = 29'750;
  facts.host.steal_share = 0.5;  // of so little that it is a tick
  facts.host.steal_s = 0.02;
  facts.loop.missing_connection_s = 100;
  facts.server.other_transactions = 300;
  facts.server.other_active_s = 0.5;
  EXPECT_THAT(codes(facts), IsEmpty());
  facts.loop.missing_connection_s = 300;
  facts.timeouts = 3;  // that was the server
  EXPECT_THAT(codes(facts), IsEmpty());
}

TEST(SelfCheckTest, WhatAReaderMustKnowIsAWarningAndNoFinding) {
  auto facts = fine();
  facts.server.statements_evicted = 3;
  facts.server.reloaded = true;
  facts.host.throttled = 1;
  facts.host.throttled_s = 0.05;
  const auto check = check_self(facts);
  EXPECT_THAT(check.findings, IsEmpty());
  EXPECT_THAT(check.warnings,
              ElementsAre(HasSubstr("throttled 1 times"), HasSubstr("no setting changed"),
                          HasSubstr("evicted statements 3 times")));
  facts = fine();
  facts.server.restarted = facts.server.reloaded = true;
  EXPECT_THAT(check_self(facts).warnings, ElementsAre(HasSubstr("restarted")));
}

// A workload without a table made a run INVALID for "731 transactions beside our 749": the client
// had done 10,003, and pg_stat_database publishes none of a transaction without table access.
TEST(SelfCheckTest, OurTransactionsAreAtLeastThoseThatTheClientMade) {
  LoadResult result;
  result.evidence.server.own_transactions = 749;
  result.operations.emplace_back();
  result.operations[0].totals.offered = 10'013;
  result.operations[0].totals.completed = 10'003;
  result.operations[0].totals.not_started = 10;
  EXPECT_EQ(self_check_facts(result).server.own_transactions, 10'003);
  result.evidence.server.own_transactions = 20'000;  // two of an operation
  EXPECT_EQ(self_check_facts(result).server.own_transactions, 20'000);
}

TEST(SelfCheckTest, MoreThreadsShareTheTimeInWhichTheyMayStall) {
  auto facts = fine();
  facts.loop.stalls = 20;
  facts.loop.stalled_us = 400'000;
  facts.loop.threads = 4;
  EXPECT_THAT(codes(facts), IsEmpty());
}

/// Feeds the gaps with a stream that was seen through `seen_at`.
template <typename SeenAt>
ArrivalGaps gaps_seen(double rate, SeenAt seen_at) {
  RatePlan plan;
  plan.lines.push_back({std::chrono::seconds(60), rate, rate});
  Schedule schedule(plan, Arrivals::poisson, 7, Mix({1}));
  ArrivalGaps gaps(rate);
  while (schedule.peek().intended_ns < 60 * kS) {
    const auto at = static_cast<double>(seen_at(schedule.peek().intended_ns));
    gaps.take(rate * at * 1e-9);
    schedule.pop();
  }
  return gaps;
}

TEST(ArrivalGapsTest, APoissonStreamIsOneWhateverItsRate) {
  for (const double rate : {5.0, 50.0, 1'000.0, 20'000.0}) {
    const auto gaps = gaps_seen(rate, [](std::int64_t at) { return at; });
    EXPECT_GE(gaps.blocks(), 200) << rate;
    EXPECT_LT(gaps.distance(), 2.5 / std::sqrt(static_cast<double>(gaps.blocks()))) << rate;
  }
}

TEST(ArrivalGapsTest, ARampIsAPoissonStreamOfItsOwnClockAndSoIsEachPartOfIt) {
  RatePlan plan;
  plan.lines.push_back({std::chrono::seconds(30), 100, 3'000});
  plan.lines.push_back({std::chrono::seconds(30), 3'000, 3'000});
  EXPECT_DOUBLE_EQ(plan.arrivals_by(30), 46'500);
  EXPECT_DOUBLE_EQ(plan.arrivals_by(60), plan.arrivals());
  for (const std::uint32_t parts : {1U, 4U}) {
    Schedule schedule(plan, Arrivals::poisson, 7, Mix({1}), 0, parts);
    ArrivalGaps gaps(plan.mean_per_s() / parts);
    while (schedule.peek().intended_ns < 60 * kS) {
      const auto at_s = static_cast<double>(schedule.peek().intended_ns) * 1e-9;
      gaps.take(plan.arrivals_by(at_s) / parts);
      schedule.pop();
    }
    EXPECT_GE(gaps.blocks(), 1'000);
    EXPECT_LT(gaps.distance(), 2.5 / std::sqrt(static_cast<double>(gaps.blocks())));
  }
}

TEST(ArrivalGapsTest, TheGranularityOfATimerIsNotHeldAgainstIt) {
  const auto gaps = gaps_seen(20'000, [](std::int64_t at) { return at - at % (kMs / 10); });
  EXPECT_LT(gaps.distance(), 0.10);
}

TEST(ArrivalGapsTest, AGridBatchesAndAnotherRateAreFound) {
  ArrivalGaps grid(100);
  for (int i = 0; i < 6'000; ++i) grid.take(i);
  EXPECT_GT(grid.distance(), 0.10);
  EXPECT_GT(gaps_seen(1'000, [](std::int64_t at) { return at - at % (100 * kMs); }).distance(),
            0.2);
  EXPECT_GT(gaps_seen(1'000, [](std::int64_t at) { return at * 11 / 10; }).distance(), 0.10);
}

TEST(ArrivalGapsTest, TheErlangDistributionIsTheOneOfTheTables) {
  EXPECT_NEAR(erlang_below(1, 1), 1 - std::exp(-1.0), 1e-12);
  EXPECT_NEAR(erlang_below(10, 10), 0.5421, 1e-4);
  EXPECT_NEAR(erlang_below(64, 64), erlang_below(65, 65), 0.002);  // where the formula changes
  EXPECT_NEAR(erlang_below(400, 400), 0.5067, 1e-3);
  EXPECT_EQ(erlang_below(3, 0), 0);
}

TEST(ArrivalGapsTest, MergingAddsTheBlocksUp) {
  auto both = gaps_seen(100, [](std::int64_t at) { return at; });
  const auto blocks = both.blocks();
  both.merge(both);
  EXPECT_EQ(both.blocks(), 2 * blocks);
}

TEST(LoopWatchTest, WorkThatTakesLongAndWakingLateAreStalls) {
  LoopWatch watch;
  watch.measure(0, 10 * kS);
  watch.woke(0);
  watch.sleeps(5 * kMs, 100 * kMs);
  watch.woke(101 * kMs);  // 1 ms late
  watch.sleeps(131 * kMs, 200 * kMs);
  EXPECT_EQ(watch.facts().stalls, 1);
  EXPECT_EQ(watch.facts().longest_stall_us, 30'000);
  watch.woke(150 * kMs);  // an event, before it was due
  watch.sleeps(151 * kMs, 200 * kMs);
  watch.woke(700 * kMs);
  EXPECT_EQ(watch.facts().stalls, 2);
  EXPECT_EQ(watch.facts().longest_stall_us, 500'000);
  EXPECT_EQ(watch.facts().stalled_us, 530'000);
}

TEST(LoopWatchTest, AStallCountsAsFarAsItLiesInTheMeasuredPart) {
  LoopWatch watch;
  watch.measure(1 * kS, 2 * kS);
  watch.woke(0);
  watch.sleeps(0, 100 * kMs);
  watch.woke(1'300 * kMs);  // began in the warm-up
  EXPECT_EQ(watch.facts().longest_stall_us, 300'000);
  watch.sleeps(1'300 * kMs, 1'400 * kMs);
  watch.woke(1'400 * kMs);
  watch.sleeps(1'400 * kMs, 1'900 * kMs);
  watch.woke(9 * kS);  // ends in the drain
  EXPECT_EQ(watch.facts().longest_stall_us, 300'000);
  EXPECT_EQ(watch.facts().stalled_us, 400'000);
  EXPECT_EQ(watch.facts().stalls, 2);
}

TEST(LoopWatchTest, ConnectionsThatAreMissingAreCountedBySeconds) {
  LoopWatch watch;
  watch.measure(1 * kS, 3 * kS);
  watch.missing(0, 5);
  watch.missing(1'500 * kMs, 2);
  watch.missing(2'000 * kMs, 0);
  watch.missing(4 * kS, 4);
  EXPECT_DOUBLE_EQ(watch.facts().missing_connection_s, 0.5 * 2 + 1 * 4);
}

LoadResult slow_server(std::int64_t service_us) {
  LoadResult result;
  result.options.rate_per_s = 1'000;
  result.totals.client.measured_s = 10;
  OperationResult operation;
  operation.name = "lookup";
  operation.slo_p99 = std::chrono::milliseconds(10);
  operation.totals.offered = operation.totals.completed = 10'000;
  operation.totals.over_slo = 9'000;
  for (int i = 0; i < 10'000; ++i) operation.totals.service.record(service_us);
  result.operations.push_back(std::move(operation));
  return result;
}

TEST(SelfCheckVerdictTest, AStallLongerThanTheServiceTimeExcusesTheServer) {
  auto result = slow_server(200'000);
  result.totals.client.loop.stalls = 1;
  result.totals.client.loop.stalled_us = result.totals.client.loop.longest_stall_us = 300'000;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::invalid);
  result = slow_server(900'000);
  result.totals.client.loop.stalls = 1;
  result.totals.client.loop.stalled_us = result.totals.client.loop.longest_stall_us = 300'000;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::fail);
}

TEST(SelfCheckVerdictTest, ChangedSurroundingsExcuseEveryServer) {
  auto result = slow_server(900'000);
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::fail);
  result.evidence.server.changed_settings = {"fsync"};
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::invalid);
  EXPECT_THAT(result.reasons, ElementsAre(HasSubstr("fsync")));
}

}  // namespace
}  // namespace pantryd::loadgen
