// When a trial of find-max has failed, and how a ceiling is stored.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/capacity/ceiling.h"
#include "loadgen/capacity/ceiling_store.h"
#include "loadgen/judge/backlog.h"
#include "loadgen/judge/verdict.h"
#include "loadgen/null/null_server.h"
#include "loadgen/report/ceiling_forms.h"

namespace pantryd::loadgen {
namespace {

/// 20 seconds at 1,000/s; `queued` says how many wait at the end of a second.
template <typename Queued>
LoadResult run_with(Queued queued) {
  LoadResult result;
  result.options.rate_per_s = 1'000;
  result.totals.client.measured_s = 20;
  for (std::int64_t second = -2; second < 23; ++second) {
    Window window;
    window.second = second;
    window.phase = second < 0 ? Phase::warmup : second < 20 ? Phase::measured : Phase::drain;
    window.queued = queued(second);
    result.totals.windows.push_back(window);
  }
  OperationResult operation;
  operation.slo_p99 = std::chrono::seconds(1);
  operation.totals.offered = 20'000;
  operation.totals.completed = 20'000;
  result.operations.push_back(operation);
  return result;
}

TEST(CeilingTest, ABacklogThatGrowsFailsATrialThatTheSloHasNotSeenYet) {
  // 3 % too much: 30 more wait each second.
  auto growing = run_with([](std::int64_t second) { return 30 * (second + 2); });
  judge(growing);
  EXPECT_TRUE(backlog_grows(growing));
  const auto outcome = outcome_of(growing);
  EXPECT_EQ(outcome.verdict, Verdict::fail);
  EXPECT_THAT(outcome.reason, testing::HasSubstr("More and more"));
}

TEST(CeilingTest, AQueueThatGoesUpAndDownDoesNotGrow) {
  EXPECT_FALSE(backlog_grows(run_with([](std::int64_t second) { return second % 2 * 300; })));
  EXPECT_FALSE(backlog_grows(run_with([](std::int64_t) { return 5'000; })));
  EXPECT_FALSE(backlog_grows(run_with([](std::int64_t second) { return second; })));
  // What fills up in the warm-up, or drains at the end, is not of the measured part.
  EXPECT_FALSE(backlog_grows(run_with([](std::int64_t second) {
    return second < 0 || second >= 20 ? std::int64_t{100'000} : std::int64_t{0};
  })));
}

TEST(CeilingTest, AClosedLoopHasNoBacklogToJudge) {
  auto result = run_with([](std::int64_t second) { return 300 * (second + 2); });
  result.options.rate_per_s.reset();
  judge(result);
  EXPECT_EQ(outcome_of(result).verdict, Verdict::pass);
}

TEST(CeilingTest, TheClientsVerdictStandsAboveTheBacklog) {
  auto result = run_with([](std::int64_t second) { return 300 * (second + 2); });
  result.totals.client.cpu_s = 19.5;
  judge(result);
  EXPECT_EQ(outcome_of(result).verdict, Verdict::invalid);
}

TEST(CeilingTest, TheResultNamesTheOperationThatWasSearchedAlone) {
  Ceiling ceiling;
  ceiling.options.load.workload = load_workload("");
  EXPECT_EQ(workload_label(ceiling), "grocery");
  ceiling.options.only = "sale";
  EXPECT_EQ(workload_label(ceiling), "grocery/sale");
  const auto json = nlohmann::json::parse(to_json(ceiling));
  EXPECT_TRUE(json["low_per_s"].is_null());
  EXPECT_TRUE(json["width"].is_null());
  EXPECT_EQ(json["settings"]["only"], "sale");
}

TEST(NullWorkloadTest, NeedsNoRowsAndKeepsStatementsAndWeights) {
  for (const char* name : {"grocery", "grocery-improved"}) {
    const auto before = load_workload(name);
    const auto after = null_workload(before);
    EXPECT_TRUE(before.needs_dataset());
    EXPECT_FALSE(after.needs_dataset());
    EXPECT_EQ(after.statements, before.statements);
    ASSERT_EQ(after.operations.size(), before.operations.size());
    for (std::size_t i = 0; i < after.operations.size(); ++i) {
      const auto& operation = after.operations[i];
      EXPECT_EQ(operation.weight, before.operations[i].weight);
      EXPECT_EQ(operation.steps.size(), before.operations[i].steps.size());
      EXPECT_FALSE(operation.slo_p99);
      for (const auto& step : operation.steps) {
        EXPECT_FALSE(step.expect_rows);
        EXPECT_TRUE(step.captures.empty());
        // A step under a condition would never run without a captured value.
        if (!step.when) continue;
        const auto variable = static_cast<std::size_t>(step.when->variable);
        EXPECT_TRUE(operation.variables[variable].generator);
      }
    }
  }
}

}  // namespace
}  // namespace pantryd::loadgen
