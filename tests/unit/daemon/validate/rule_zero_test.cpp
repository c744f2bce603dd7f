// The table of rule zero cell by cell, and what a load is found to be.
#include "validate/rule_zero.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/support/places.h"

namespace pantryd::validate {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct Cell {
  LoadFinding finding;
  ClaimKind kind;
  Verdict of_pass;  ///< what becomes of a PASS
  Verdict of_fail;  ///< what becomes of a FAIL
};

constexpr auto kPass = Verdict::pass;
constexpr auto kFail = Verdict::fail;
constexpr auto kOpen = Verdict::inconclusive;
constexpr auto kInvalid = Verdict::invalid;

/// Written out, so that a slip in the table of the program is a failure here.
const std::vector<Cell>& cells() {
  using F = LoadFinding;
  using K = ClaimKind;
  static const std::vector<Cell> all{
      {F::surroundings, K::throughput, kInvalid, kInvalid},
      {F::surroundings, K::throughput_percentile, kInvalid, kInvalid},
      {F::surroundings, K::users, kInvalid, kInvalid},
      {F::surroundings, K::latency, kInvalid, kInvalid},
      {F::client, K::throughput, kInvalid, kInvalid},
      {F::client, K::throughput_percentile, kInvalid, kInvalid},
      {F::client, K::users, kInvalid, kInvalid},
      {F::client, K::latency, kInvalid, kInvalid},
      {F::stopped, K::throughput, kOpen, kOpen},
      {F::stopped, K::throughput_percentile, kOpen, kOpen},
      {F::stopped, K::users, kOpen, kOpen},
      {F::stopped, K::latency, kOpen, kOpen},
      {F::invariant, K::throughput, kFail, kFail},
      {F::invariant, K::throughput_percentile, kFail, kFail},
      {F::invariant, K::users, kFail, kFail},
      {F::invariant, K::latency, kFail, kFail},
      {F::unsettled, K::throughput, kOpen, kOpen},
      {F::unsettled, K::throughput_percentile, kOpen, kOpen},
      {F::unsettled, K::users, kOpen, kOpen},
      {F::unsettled, K::latency, kOpen, kOpen},
      {F::unsteady, K::throughput, kOpen, kFail},
      {F::unsteady, K::throughput_percentile, kOpen, kFail},
      {F::unsteady, K::users, kOpen, kFail},
      {F::unsteady, K::latency, kOpen, kFail},
      {F::few, K::throughput, kOpen, kFail},
      {F::few, K::throughput_percentile, kOpen, kFail},
      {F::few, K::users, kOpen, kFail},
      {F::few, K::latency, kOpen, kFail},
      {F::errors, K::throughput, kFail, kFail},
      {F::errors, K::throughput_percentile, kFail, kFail},
      {F::errors, K::users, kFail, kFail},
      {F::errors, K::latency, kFail, kFail},
      {F::not_started, K::throughput, kFail, kFail},
      {F::not_started, K::throughput_percentile, kFail, kFail},
      {F::not_started, K::users, kFail, kFail},
      {F::not_started, K::latency, kFail, kFail},
      {F::outage, K::throughput, kFail, kFail},
      {F::outage, K::throughput_percentile, kFail, kFail},
      {F::outage, K::users, kFail, kFail},
      {F::outage, K::latency, kFail, kFail},
      {F::unread, K::throughput, kOpen, kFail},
      {F::unread, K::throughput_percentile, kOpen, kFail},
      {F::unread, K::users, kOpen, kFail},
      {F::unread, K::latency, kOpen, kFail},
      {F::slo, K::throughput, kOpen, kFail},
      {F::slo, K::throughput_percentile, kPass, kFail},
      {F::slo, K::users, kFail, kFail},
      {F::slo, K::latency, kPass, kFail},
      {F::samples, K::throughput, kPass, kFail},
      {F::samples, K::throughput_percentile, kOpen, kFail},
      {F::samples, K::users, kPass, kFail},
      {F::samples, K::latency, kOpen, kFail},
  };
  return all;
}

TEST(RuleZeroTest, EachCellOfTheTableLimitsTheClaimAsWritten) {
  EXPECT_EQ(cells().size(), kLoadFindings.size() * kClaimKinds.size());
  for (const auto& cell : cells()) {
    SCOPED_TRACE(fmt::format("{} / {}", to_string(cell.finding), to_string(cell.kind)));
    Judgement good;
    good.pass();
    apply_rule_zero({{cell.finding, "why"}}, cell.kind, good);
    EXPECT_EQ(good.verdict, cell.of_pass);
    const bool decided = good.verdict == kPass || good.verdict == kFail;
    EXPECT_EQ(good.reason.has_value(), !decided);
    EXPECT_EQ(good.evidence.empty(), good.verdict == kPass) << "a limit says why";
    Judgement bad;
    bad.fail();
    apply_rule_zero({{cell.finding, "why"}}, cell.kind, bad);
    EXPECT_EQ(bad.verdict, cell.of_fail);
  }
}

TEST(RuleZeroTest, ALoadWithoutFindingsLimitsNothing) {
  Judgement out;
  out.pass();
  apply_rule_zero({}, ClaimKind::throughput, out);
  EXPECT_EQ(out.verdict, Verdict::pass);
}

TEST(RuleZeroTest, WhatDecidesFirstWins) {
  Judgement out;
  out.pass();
  apply_rule_zero({{LoadFinding::surroundings, "a"}, {LoadFinding::errors, "b"}},
                  ClaimKind::throughput, out);
  EXPECT_EQ(out.verdict, Verdict::invalid);
  EXPECT_EQ(out.reason, Reason::load);
  EXPECT_THAT(out.evidence, testing::ElementsAre("a", "b"));
  Judgement lost;
  lost.pass();
  apply_rule_zero({{LoadFinding::invariant, "stock"}, {LoadFinding::unsettled, "times fell"}},
                  ClaimKind::throughput, lost);
  EXPECT_EQ(lost.verdict, Verdict::fail) << "lost work is lost whether the server was warm or not";
}

TEST(RuleZeroTest, TheTableIsInTheDocument) {
  const auto text = read_file(std::string(places::source_dir) + "/docs/load-testing.md", 1U << 20U);
  EXPECT_THAT(text, HasSubstr(rule_zero_markdown()));
}

loadgen::LoadResult healthy() {
  loadgen::LoadResult out;
  out.options.rate_per_s = 100;
  out.totals.client.measured_s = 10;
  out.verdict = Verdict::pass;
  loadgen::OperationResult operation;
  operation.name = "lookup";
  operation.totals.offered = operation.totals.completed = 1000;
  operation.verdict = Verdict::pass;
  out.operations.push_back(std::move(operation));
  for (std::int64_t second = 0; second < 10; ++second) {
    loadgen::Window window;
    window.second = second;
    window.offered = window.completed = 100;
    out.totals.windows.push_back(window);
  }
  return out;
}

std::vector<LoadFinding> found_in(const loadgen::LoadResult& load) {
  std::vector<LoadFinding> out;
  for (const auto& found : findings_of(load, 0.001)) out.push_back(found.finding);
  return out;
}

TEST(LoadFindingsTest, AHealthyLoadHasNone) {
  EXPECT_THAT(found_in(healthy()), IsEmpty());
}

TEST(LoadFindingsTest, ErrorsAndUnstartedWorkAboveTheLimitAreFound) {
  auto load = healthy();
  load.operations[0].totals.errors = 1;
  EXPECT_THAT(found_in(load), IsEmpty()) << "one in a thousand is allowed";
  load.operations[0].totals.errors = 2;
  EXPECT_THAT(found_in(load), Contains(LoadFinding::errors));
  load.operations[0].totals.errors = 0;
  load.operations[0].totals.not_started = 2;
  EXPECT_THAT(found_in(load), Contains(LoadFinding::not_started));
}

TEST(LoadFindingsTest, AnOutageOfTheMeasuredWindowIsFoundAndOneOfTheWarmUpIsNot) {
  auto load = healthy();
  load.totals.outages.push_back({-3, -1, 1, 1, "57P01"});
  EXPECT_THAT(found_in(load), IsEmpty());
  load.totals.outages[0].to_s = 8.8;  // it began in the warm-up and lasted
  EXPECT_THAT(found_in(load), Contains(LoadFinding::outage));
  load.totals.outages[0].to_s.reset();
  EXPECT_THAT(found_in(load), Contains(LoadFinding::outage));
}

TEST(LoadFindingsTest, ABacklogThatGrowsIsFoundInAnOpenLoopOnly) {
  auto load = healthy();
  for (auto& window : load.totals.windows) window.queued = 50 * window.second;
  EXPECT_THAT(found_in(load), Contains(LoadFinding::unsteady));
  load.options.rate_per_s.reset();
  EXPECT_THAT(found_in(load), IsEmpty());
}

TEST(LoadFindingsTest, ABacklogOfTheWarmUpIsFoundUnlessItGrows) {
  auto load = healthy();
  loadgen::Window last;
  last.second = -1;
  last.phase = loadgen::Phase::warmup;
  last.queued = 200;
  load.totals.windows.insert(load.totals.windows.begin(), last);
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::unsettled));
  for (auto& window : load.totals.windows) window.queued = 200 + 50 * (window.second + 1);
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::unsteady));
}

TEST(LoadFindingsTest, ServiceTimesThatFallAreFound) {
  auto load = healthy();
  for (std::int64_t second = 0; second < 10; ++second) {
    loadgen::Histogram times;
    for (int i = 0; i < 100; ++i) times.record(20'000 - 1000 * second + i);
    load.operations[0].service_over_time.add(second, times);
  }
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::unsettled));
}

TEST(LoadFindingsTest, SettingsThatWereOffInOneSecondAreFound) {
  auto load = healthy();
  load.evidence.seconds.push_back({.from_s = 0, .to_s = 1, .gauges = {{"fsync", 1}}});
  EXPECT_THAT(found_in(load), IsEmpty());
  load.evidence.seconds.push_back({.from_s = 1, .to_s = 2, .gauges = {{"fsync", 0}}});
  EXPECT_THAT(found_in(load), Contains(LoadFinding::surroundings));
}

TEST(LoadFindingsTest, AWorkloadThatSetsSynchronousCommitIsFound) {
  auto load = healthy();
  load.options.workload.statements = {"SELECT 1", "SET LOCAL Synchronous_Commit TO off"};
  EXPECT_THAT(found_in(load), Contains(LoadFinding::surroundings));
  load.options.workload.statements = {"SET LOCAL synchronous_commit = on"};
  EXPECT_THAT(found_in(load), IsEmpty()) << "it keeps the promise";
}

TEST(LoadFindingsTest, AnInvariantThatIsBrokenOrUnreadIsFoundAndOneThatHeldIsNot) {
  const loadgen::InvariantReading five{{"5"}, "5", false, ""};
  const loadgen::InvariantReading six{{"6"}, "6", false, ""};
  auto load = healthy();
  load.invariants = {{"stock", "w.yaml:3:5", five, five}};
  EXPECT_THAT(found_in(load), IsEmpty());
  load.invariants[0].after = loadgen::unread_invariant("no such table");
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::unread));
  load.invariants[0].after = six;
  load.verdict = Verdict::fail;
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::invariant));
}

TEST(LoadFindingsTest, AMissedSloAndTooFewSamplesAreToldApart) {
  auto load = healthy();
  load.operations[0].slo_p99 = std::chrono::milliseconds(10);
  load.operations[0].verdict = Verdict::inconclusive;
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::samples));
  load.operations[0].verdict = Verdict::fail;
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::slo));
}

TEST(LoadFindingsTest, AFailThatNothingExplainsStillLimitsTheClaim) {
  auto load = healthy();
  load.verdict = Verdict::fail;
  load.reasons = {"something new"};
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::slo));
}

TEST(LoadFindingsTest, AnInvalidLoadIsTheClientsUnlessTheSurroundingsWereAtFault) {
  auto load = healthy();
  load.verdict = Verdict::invalid;
  load.self_check.findings.push_back({loadgen::Finding::Kind::client, "start_lag", "late"});
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::client));
  load.self_check.findings.push_back({loadgen::Finding::Kind::surroundings, "settings", "changed"});
  EXPECT_THAT(found_in(load), testing::ElementsAre(LoadFinding::surroundings, LoadFinding::client));
}

}  // namespace
}  // namespace pantryd::validate
