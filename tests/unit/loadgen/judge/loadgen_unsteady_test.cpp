// Windows in which the server still changed, and those in which it did not.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>

#include "base/random.h"
#include "loadgen/judge/bottleneck.h"
#include "loadgen/judge/page_faults.h"
#include "loadgen/judge/trend.h"
#include "loadgen/judge/unsteady.h"
#include "loadgen/judge/verdict.h"
#include "tests/support/service_samples.h"

namespace pantryd::loadgen {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// A run that passes: 100 operations a second for 20 s, each around `us(second)`.
template <typename Us>
LoadResult run_of(Random& random, Us us, std::size_t operations = 1) {
  LoadResult out;
  out.options.rate_per_s = 100.0 * static_cast<double>(operations);
  out.totals.client.measured_s = 20;
  for (std::size_t i = 0; i < operations; ++i) {
    OperationResult operation;
    operation.name = fmt::format("op{}", i);
    operation.slo_p99 = std::chrono::seconds(1);
    operation.totals.offered = operation.totals.completed = operation.totals.done_in_window = 2000;
    for (std::int64_t second = 0; second < 20; ++second) {
      const auto times = testing_support::service_times(random, 100, us(second));
      operation.totals.service.merge(times);
      operation.totals.response.merge(times);
      operation.service_over_time.add(second, times);
    }
    out.operations.push_back(std::move(operation));
  }
  for (std::int64_t second = -2; second < 20; ++second) {
    Window window;
    window.second = second;
    window.phase = second < 0 ? Phase::warmup : Phase::measured;
    window.offered = window.completed = 100 * static_cast<std::int64_t>(operations);
    out.totals.windows.push_back(window);
  }
  return out;
}

LoadResult steady(Random& random) {
  return run_of(random, [](std::int64_t) { return 5000.0; });
}

TEST(TrendTest, KendallsChanceIsThatOfTheTables) {
  // 10 values of which each is below the one before: S = 45, z = 44 / sqrt(125).
  EXPECT_NEAR(chance_of_fall({10, 9, 8, 7, 6, 5, 4, 3, 2, 1}),
              0.5 * std::erfc(3.9355 / std::sqrt(2)), 1e-6);
  EXPECT_EQ(chance_of_fall({1, 2, 3, 4, 5, 6, 7}), 1);
  EXPECT_EQ(chance_of_fall({5, 5, 5, 5, 5, 5}), 1);
  EXPECT_EQ(chance_of_fall({5, 4, 3, 2, 1}), 1) << "five values show no trend";
}

TEST(TrendTest, SteadyWindowsAreHardlyEverTakenForFallingOnes) {
  Random random(1);
  int falling = 0;
  for (int run = 0; run < 400; ++run) {
    const auto result = run_of(
        random, [](std::int64_t) { return 5000.0; }, 4);
    falling += falling_services(result).empty() ? 0 : 1;
  }
  EXPECT_LE(falling, 8) << "of 400";
}

TEST(TrendTest, ATailThatShrinksIsATrend) {
  Random random(2);
  auto result = steady(random);
  result.operations[0].service_over_time = {};
  for (std::int64_t second = 0; second < 20; ++second) {
    const double slow = std::max(0.0, 0.3 - 0.02 * static_cast<double>(second));
    result.operations[0].service_over_time.add(
        second, testing_support::service_times(random, 100, 5000, slow));
  }
  const auto found = falling_services(result);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].from_us, found[0].to_us);
}

TEST(UnsteadyTest, AWindowInWhichTheTimesFallIsInconclusiveWhicheverWayItPoints) {
  Random random(3);
  const auto falls = [](std::int64_t second) { return 20'000 - 800 * static_cast<double>(second); };
  auto passing = run_of(random, falls);
  judge(passing);
  EXPECT_EQ(passing.verdict, Verdict::inconclusive);
  EXPECT_EQ(passing.reason, Reason::unsteady);
  EXPECT_THAT(passing.reasons.at(0), HasSubstr("op0 (median from "));
  auto failing = run_of(random, falls);
  failing.operations[0].slo_p99 = std::chrono::milliseconds(1);
  failing.operations[0].totals.over_slo = 1900;
  judge(failing);
  EXPECT_EQ(failing.verdict, Verdict::inconclusive);
  EXPECT_EQ(failing.reason, Reason::unsteady);
}

TEST(UnsteadyTest, ASteadyWindowPassesAndFailsAsEver) {
  Random random(4);
  auto passing = steady(random);
  judge(passing);
  EXPECT_EQ(passing.verdict, Verdict::pass) << testing::PrintToString(passing.reasons);
  auto failing = steady(random);
  failing.operations[0].totals.over_slo = 1900;
  judge(failing);
  EXPECT_EQ(failing.verdict, Verdict::fail);
}

TEST(UnsteadyTest, TimesThatRiseAreTheServersAndNoWarmUp) {
  Random random(5);
  const auto rises =
      run_of(random, [](std::int64_t second) { return 5000 + 800 * static_cast<double>(second); });
  EXPECT_THAT(unsteady_reason(rises), IsEmpty());
}

TEST(UnsteadyTest, WithARateThatMovesTheTimesMayMoveToo) {
  Random random(6);
  auto result = run_of(
      random, [](std::int64_t second) { return 20'000 - 800 * static_cast<double>(second); });
  EXPECT_THAT(unsteady_reason(result), HasSubstr("still fell"));
  result.options.plan.lines.push_back({std::chrono::seconds(20), 1000, 10});
  EXPECT_THAT(unsteady_reason(result), IsEmpty());
}

/// 2 s of warm-up and 20 s measured, with so many that wait at the end of each second.
LoadResult with_backlog(std::int64_t before, std::int64_t step) {
  Random random(7);
  auto out = steady(random);
  for (auto& window : out.totals.windows) {
    window.queued = std::max<std::int64_t>(0, before + step * (window.second + 1));
  }
  return out;
}

TEST(UnsteadyTest, ABacklogThatTheWarmUpLeftIsInconclusive) {
  auto result = with_backlog(500, -30);
  result.operations[0].totals.over_slo = 1900;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_EQ(result.reason, Reason::unsteady);
  EXPECT_THAT(result.reasons.at(0), HasSubstr("500 operations that the warm-up had left"));
  EXPECT_THAT(unsteady_reason(with_backlog(20, -1)), IsEmpty()) << "1 % of the arrivals";
}

// Offered twice the capacity, the window begins with a backlog as well: that is no warm-up's.
TEST(UnsteadyTest, ABacklogThatGoesOnGrowingIsARateAboveTheCapacity) {
  auto result = with_backlog(500, 50);
  EXPECT_THAT(unsteady_reason(result), IsEmpty());
  result.operations[0].totals.over_slo = 1900;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::fail);
}

TEST(UnsteadyTest, InAClosedLoopWaitingUsersAreNoBacklog) {
  auto result = with_backlog(500, 0);
  EXPECT_THAT(unsteady_reason(result), HasSubstr("500 operations"));
  result.options.rate_per_s.reset();
  EXPECT_THAT(unsteady_reason(result), IsEmpty());
}

// A server that crashed in the warm-up and was away for half of the window is a failure.
TEST(UnsteadyTest, AnOutageOfTheWindowIsTheReasonItself) {
  auto result = with_backlog(500, -30);
  result.totals.outages.push_back({-1, 8, 1, 1, "57P01"});
  EXPECT_THAT(unsteady_reason(result), IsEmpty());
  result.totals.outages[0].to_s = -0.5;
  EXPECT_THAT(unsteady_reason(result), HasSubstr("500 operations")) << "over before the window";
}

/// `faults` page faults for each of 2,000 operations of 5 ms.
LoadResult with_faults(std::optional<double> faults) {
  Random random(8);
  auto out = steady(random);
  out.environment.server_local = faults.has_value();
  out.environment.settings = {{"huge_pages", "try"}, {"shared_buffers", "4GB"}};
  out.environment.huge_pages = 0;
  for (int second = 0; second < 20; ++second) {
    EvidenceSecond each;
    each.from_s = second;
    each.to_s = second + 1;
    if (faults) {
      each.per_s = {
          {"page_faults", *faults * 100}, {"session_user_ms", 100}, {"session_system_ms", 300}};
    }
    out.evidence.seconds.push_back(each);
  }
  return out;
}

TEST(PageFaultsTest, FaultsThatTakeAShareOfTheTimeAreNamedWithHugePages) {
  const auto cold = with_faults(1200);
  const auto text = page_faults_text(cold, false);
  EXPECT_THAT(text, HasSubstr("1200 an operation"));
  EXPECT_THAT(text, HasSubstr("75 % of their processor time was the kernel's"));
  EXPECT_THAT(text, HasSubstr("huge_pages is try, and the host has set no huge page aside, "
                              "shared_buffers 4GB"));
  EXPECT_THAT(name_bottleneck(bottleneck_facts(cold)).text, HasSubstr("Page faults: "));
  EXPECT_THAT(page_faults_text(with_faults(5), true), IsEmpty()) << "a warm session has a few";
}

TEST(PageFaultsTest, FaultsThatNobodyCouldReadAreNotNone) {
  EXPECT_THAT(page_faults_text(with_faults(std::nullopt), true),
              HasSubstr("could not be looked at: the server is not on this host"));
  EXPECT_THAT(page_faults_text(with_faults(std::nullopt), false), IsEmpty());
}

TEST(PageFaultsTest, TheServersOwnWordOnHugePagesIsPreferred) {
  auto cold = with_faults(1200);
  cold.environment.settings.push_back({"huge_pages_status", "off"});
  EXPECT_THAT(page_faults_text(cold, false),
              HasSubstr("huge_pages is try (huge_pages_status off)"));
}

}  // namespace
}  // namespace pantryd::loadgen
