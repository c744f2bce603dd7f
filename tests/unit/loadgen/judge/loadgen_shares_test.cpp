// The statistics of a verdict: exact bounds, and how often chance alone gives a wrong one.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "loadgen/judge/shares.h"

namespace pantryd::loadgen {
namespace {

TEST(SharesTest, TheBoundsAreThoseOfClopperAndPearson) {
  const auto [low, high] = share_bounds(10, 1000);
  EXPECT_NEAR(low, 0.005435, 0.00001);   // scipy.stats.beta.ppf(0.05, 10, 991)
  EXPECT_NEAR(high, 0.016903, 0.00001);  // scipy.stats.beta.ppf(0.95, 11, 990)
  EXPECT_NEAR(share_bounds(0, 299).second, 0.00997, 0.00001);  // 1 - 0.05^(1/299)
  EXPECT_EQ(share_bounds(0, 0), (std::pair<double, double>{0, 1}));
  EXPECT_EQ(share_bounds(7, 7).second, 1);
}

TEST(SharesTest, SamplesThatAreMissingAreThoseThatMakeAPass) {
  EXPECT_EQ(samples_missing({0, 0, 0.01}), 299);
  EXPECT_EQ(samples_missing({0, 100, 0.01}), 199);
  EXPECT_EQ(samples_missing({0, 299, 0.01}), 0);
  const auto more = samples_missing({3, 300, 0.01});
  EXPECT_EQ(judge_shares({{3, 300 + more, 0.01}})[0], Verdict::pass);
  EXPECT_EQ(judge_shares({{3, 300 + more - 1, 0.01}})[0], Verdict::inconclusive);
}

// P(X >= 1) of 5 at 1 % is 4.90 %, of 6 it is 5.85 %; P(X >= 2) of 35 is 4.79 %, of 36 it is 5.03
// %.
TEST(SharesTest, AFailBeginsExactlyWhereChanceEnds) {
  const auto verdict = [](std::int64_t hits, std::int64_t samples) {
    return judge_shares({{hits, samples, 0.01}})[0];
  };
  EXPECT_EQ(verdict(1, 5), Verdict::fail);
  EXPECT_EQ(verdict(1, 6), Verdict::inconclusive);
  EXPECT_EQ(verdict(2, 35), Verdict::fail);
  EXPECT_EQ(verdict(2, 36), Verdict::inconclusive);
}

TEST(SharesTest, OneMissInAFewSamplesIsNeverProof) {
  for (std::int64_t samples = 1; samples < 300; ++samples) {
    EXPECT_NE(judge_shares(std::vector<Share>(8, {1, samples, 0.01}))[0], Verdict::fail) << samples;
  }
  EXPECT_EQ(judge_shares({{50, 1000, 0.01}})[0], Verdict::fail);
}

/// Runs of the grocery's mix at 500/s for 60 s, and of eight operations with 9 to 20 samples: how
/// many of 10,000 have a FAIL, and in how many every operation passes.
struct Wrong {
  int fails = 0;
  int passes = 0;
};

Wrong simulated(const std::vector<std::int64_t>& samples, double share) {
  std::mt19937_64 random(1);
  Wrong out;
  for (int run = 0; run < 10'000; ++run) {
    std::vector<Share> shares;
    for (const auto each : samples) {
      shares.push_back({std::binomial_distribution<std::int64_t>(each, share)(random), each, 0.01});
    }
    const auto verdicts = judge_shares(shares);
    const auto is = [&](Verdict wanted) {
      return [wanted](Verdict verdict) { return verdict == wanted; };
    };
    if (std::any_of(verdicts.begin(), verdicts.end(), is(Verdict::fail))) ++out.fails;
    if (std::all_of(verdicts.begin(), verdicts.end(), is(Verdict::pass))) ++out.passes;
  }
  return out;
}

TEST(SharesTest, ChanceAloneIsWrongInAtMostFivePercentOfTenThousandRuns) {
  const std::vector<std::int64_t> mix = {7169, 13034, 2607, 2607, 2281, 652,
                                         652,  326,   326,  163,  163,  33};
  const std::vector<std::int64_t> few = {9, 10, 11, 12, 14, 16, 18, 20};
  for (const auto& samples : {mix, few}) {
    EXPECT_LE(simulated(samples, 0.005).fails, 500);
    EXPECT_LE(simulated(samples, 0.01).fails, 500);
    EXPECT_LE(simulated(samples, 0.01).passes, 500);
    EXPECT_LE(simulated(samples, 0.02).passes, 500);
  }
  // And it can say both: the control.
  EXPECT_GE(simulated(mix, 0.03).fails, 9'900);
  EXPECT_GE(simulated({7169, 13034, 2607}, 0.001).passes, 9'900);
}

}  // namespace
}  // namespace pantryd::loadgen
