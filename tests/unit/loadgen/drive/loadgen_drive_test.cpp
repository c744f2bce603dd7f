// Histograms, totals, outages and verdicts of a load run.
#include <gmock/gmock.h>

#include <cmath>

#include "loadgen/drive/outages.h"
#include "loadgen/drive/schedule.h"
#include "loadgen/judge/verdict.h"
#include "loadgen/result/histogram.h"
#include "loadgen/result/totals.h"

namespace pantryd::loadgen {
namespace {

TEST(HistogramTest, EveryValueComesBackWithinATenthOfAPercent) {
  for (std::int64_t us = 1; us < Histogram::kLimitUs; us += 1 + us / 97) {
    Histogram histogram;
    histogram.record(us);
    histogram.record(Histogram::kLimitUs - 1);  // keeps max_us from hiding the bucket's own error
    const auto read = static_cast<double>(histogram.quantile_us(0.5));
    EXPECT_LE(std::abs(read - static_cast<double>(us)) / static_cast<double>(us), 0.001) << us;
  }
}

TEST(HistogramTest, QuantilesAreThoseOfTheSortedSamples) {
  Histogram histogram;
  for (int us = 1; us <= 1000; ++us) histogram.record(us);
  EXPECT_EQ(histogram.quantile_us(0.5), 500);
  EXPECT_EQ(histogram.quantile_us(0.99), 990);
  EXPECT_EQ(histogram.quantile_us(1), 1000);
  EXPECT_EQ(histogram.max_us(), 1000);
  EXPECT_EQ(histogram.count_above(990), 10);
  EXPECT_DOUBLE_EQ(histogram.mean_us(), 500.5);
}

TEST(HistogramTest, AnEmptyOneAndTheEdgesAreSafe) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile_us(0.99), 0);
  histogram.record(-5);
  histogram.record(0);
  EXPECT_EQ(histogram.max_us(), 0);
  EXPECT_EQ(histogram.count(), 2);
}

TEST(HistogramTest, ValuesBeyondTheRangeAreCountedApartAndNotClamped) {
  Histogram histogram;
  histogram.record(Histogram::kLimitUs);
  histogram.record(3 * Histogram::kLimitUs);
  histogram.record(10);
  EXPECT_EQ(histogram.count(), 3);
  EXPECT_EQ(histogram.overflow(), 2);
  EXPECT_EQ(histogram.quantile_us(0.99), 3 * Histogram::kLimitUs);
  EXPECT_EQ(histogram.count_above(1000), 2);
}

TEST(HistogramTest, MergingIsTheSameAsRecordingAllInOne) {
  Histogram all;
  Histogram parts[2];
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto us = random.between(1, 2 * Histogram::kLimitUs);
    all.record(us);
    parts[i % 2].record(us);
  }
  parts[0].merge(parts[1]);
  EXPECT_EQ(parts[0].count(), all.count());
  EXPECT_EQ(parts[0].overflow(), all.overflow());
  EXPECT_EQ(parts[0].max_us(), all.max_us());
  for (const double q : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_EQ(parts[0].quantile_us(q), all.quantile_us(q));
  }
}

RatePlan steady(double rate_per_s) {
  return {{{std::chrono::hours(1), rate_per_s, rate_per_s}}};
}

Schedule poisson(double rate_per_s, std::uint64_t seed) {
  return {steady(rate_per_s), Arrivals::poisson, seed, Mix({1, 2, 3})};
}

TEST(ScheduleTest, TheSameSeedGivesTheSameArrivals) {
  auto first = poisson(1000, 42);
  auto second = poisson(1000, 42);
  auto other = poisson(1000, 43);
  bool differs = false;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(first.peek().intended_ns, second.peek().intended_ns);
    EXPECT_EQ(first.peek().operation, second.peek().operation);
    EXPECT_EQ(first.peek().number, i);
    differs = differs || first.peek().intended_ns != other.peek().intended_ns;
    first.pop();
    second.pop();
    other.pop();
  }
  EXPECT_TRUE(differs);
}

TEST(ScheduleTest, GapsAreExponentialAroundTheRate) {
  auto schedule = poisson(1000, 1);
  constexpr int count = 100'000;
  std::int64_t last = 0;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < count; ++i) {
    const auto gap = static_cast<double>(schedule.peek().intended_ns - last);
    last = schedule.peek().intended_ns;
    sum += gap;
    squares += gap * gap;
    schedule.pop();
  }
  const double mean = sum / count;
  EXPECT_NEAR(mean, 1e6, 0.01e6);
  // Of an exponential distribution the standard deviation equals the mean.
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean), 1e6, 0.02e6);
}

TEST(MixTest, DrawsInProportionToTheWeights) {
  const Mix mix({40, 22, 0.5});
  Random random(3);
  std::vector<int> seen(3);
  for (int i = 0; i < 100'000; ++i) ++seen[mix.draw(random)];
  EXPECT_NEAR(seen[0], 64'000, 700);
  EXPECT_NEAR(seen[1], 35'200, 700);
  EXPECT_NEAR(seen[2], 800, 120);
}

TEST(OutageLogTest, LossesThatBelongTogetherAreOneOutage) {
  OutageLog log;
  log.lost(5.0, "57P01: bye", true);
  log.lost(5.1, "08006: gone", false);
  log.reconnected();
  log.succeeded(7.0);
  log.lost(7.1, "08006: gone", true);  // the second one is still away
  log.reconnected();
  log.reconnected();
  log.succeeded(7.5);
  log.lost(20, "08006: gone", true);
  const auto outages = log.take();
  ASSERT_EQ(outages.size(), 2U);
  EXPECT_DOUBLE_EQ(outages[0].from_s, 5.0);
  EXPECT_DOUBLE_EQ(outages[0].to_s.value(), 7.5);
  EXPECT_EQ(outages[0].connections_lost, 3);
  EXPECT_EQ(outages[0].operations_failed, 2);
  EXPECT_EQ(outages[0].first_error, "57P01: bye");
  EXPECT_EQ(outages[1].to_s, std::nullopt);
}

TEST(RunTotalsTest, ErrorCodesAreBounded) {
  RunTotals totals;
  for (int i = 0; i < 1000; ++i) totals.add_error(std::to_string(i), "x");
  EXPECT_LE(totals.errors.size(), 101U);
  EXPECT_EQ(totals.errors.at("other").count, 900);
}

LoadResult result_of(std::int64_t offered, std::int64_t over_slo) {
  LoadResult result;
  result.options.rate_per_s = static_cast<double>(offered) / 10;
  result.totals.client.measured_s = 10;
  OperationResult operation;
  operation.name = "lookup";
  operation.slo_p99 = std::chrono::milliseconds(10);
  operation.totals.offered = operation.totals.completed = offered;
  operation.totals.over_slo = over_slo;
  for (std::int64_t i = 0; i < offered; ++i) {
    operation.totals.service.record(i < over_slo ? 500'000 : 1'000);
  }
  result.operations.push_back(std::move(operation));
  return result;
}

TEST(VerdictTest, PassesFailsAndSaysWhenItCannotKnow) {
  auto pass = result_of(10'000, 50);
  judge(pass);
  EXPECT_EQ(pass.verdict, Verdict::pass);
  auto fail = result_of(10'000, 150);
  judge(fail);
  EXPECT_EQ(fail.verdict, Verdict::fail);
  auto close = result_of(10'000, 100);
  judge(close);
  EXPECT_EQ(close.verdict, Verdict::inconclusive);
  auto few = result_of(50, 0);
  judge(few);
  EXPECT_EQ(few.verdict, Verdict::inconclusive);
}

TEST(VerdictTest, AStarvedClientIsInvalidEvenWhenTheSloHolds) {
  auto result = result_of(10'000, 0);
  for (int i = 0; i < 1000; ++i) result.totals.client.start_lag.record(20'000);
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::invalid);
  EXPECT_THAT(result.reasons.front(), testing::HasSubstr("late"));
}

TEST(VerdictTest, LagIsNoExcuseForAServerThatIsFarTooSlow) {
  auto result = result_of(10'000, 9'000);
  for (int i = 0; i < 1000; ++i) result.totals.client.start_lag.record(6'000);
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::fail);
}

TEST(VerdictTest, ABusyReactorAndMissingArrivalsAreInvalid) {
  auto busy = result_of(10'000, 0);
  busy.totals.client.cpu_s = 9.5;
  judge(busy);
  EXPECT_EQ(busy.verdict, Verdict::invalid);
  auto missing = result_of(10'000, 0);
  missing.options.rate_per_s = 1'200;
  judge(missing);
  EXPECT_EQ(missing.verdict, Verdict::invalid);
}

TEST(VerdictTest, ErrorsAboveATenthOfAPercentFail) {
  auto result = result_of(10'000, 0);
  result.operations[0].totals.completed -= 20;
  result.operations[0].totals.errors = 20;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::fail);
}

TEST(VerdictTest, ARunCutShortIsInconclusive) {
  auto result = result_of(10'000, 9'000);
  result.stopped = true;
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
}

TEST(VerdictTest, ARunWithoutAnySloOrWithAnOperationThatNeverRanIsInconclusive) {
  auto no_slo = result_of(10'000, 0);
  no_slo.operations[0].slo_p99.reset();
  judge(no_slo);
  EXPECT_EQ(no_slo.verdict, Verdict::inconclusive);
  EXPECT_EQ(no_slo.reason, Reason::not_tested);
  auto never = result_of(10'000, 0);
  never.operations.emplace_back().name = "never";
  judge(never);
  EXPECT_EQ(never.verdict, Verdict::inconclusive);
  EXPECT_FALSE(never.only_rare_unproven);
  EXPECT_THAT(never.reasons.back(), testing::HasSubstr("never ran"));
}

TEST(VerdictTest, ARareOperationWithTooFewSamplesNamesHowManyItNeeds) {
  auto result = result_of(10'000, 0);
  auto rare = result_of(100, 0).operations[0];
  rare.name = "rare";
  result.options.rate_per_s = 1'010;
  result.operations.push_back(std::move(rare));
  judge(result);
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_EQ(result.reason, Reason::samples);
  EXPECT_TRUE(result.only_rare_unproven);
  EXPECT_THAT(result.reasons.back(), testing::HasSubstr("199 samples more"));
}

TEST(VerdictTest, OneErrorInAHundredAndFiftyIsNoProofAndAGrowingBacklogIsUnsteady) {
  auto one = result_of(150, 0);
  --one.operations[0].totals.completed;
  one.operations[0].totals.errors = 1;
  judge(one);
  EXPECT_EQ(one.verdict, Verdict::inconclusive);
  auto growing = result_of(10'000, 0);
  for (std::int64_t second = 0; second < 10; ++second) {
    growing.totals.windows.push_back({second, 1000, 900, 0, 1'000, 100 * (second + 1)});
  }
  judge(growing);
  EXPECT_EQ(growing.verdict, Verdict::inconclusive);
  EXPECT_EQ(growing.reason, Reason::unsteady);
}

}  // namespace
}  // namespace pantryd::loadgen
