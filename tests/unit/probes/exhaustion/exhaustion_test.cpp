// How a rate of use is estimated from looks, and when it is said that something will be full.
#include <gmock/gmock.h>

#include <cmath>

#include "probes/exhaustion/window.h"

namespace pantryd::probes {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::DoubleNear;
using testing::Optional;

const SteadyClock::time_point kStart{hours(1000)};

/// Points a minute apart from kStart on.
UseWindow window_of(const std::vector<double>& used, const UseWindow::Options& options = {}) {
  UseWindow out(options);
  for (std::size_t i = 0; i < used.size(); ++i) out.add(kStart + minutes(i), used[i]);
  return out;
}

TEST(UseWindowTest, ASteadyUseIsItsRate) {
  EXPECT_THAT(window_of({0, 60, 120, 180, 240, 300}).rate_per_second(), Optional(1.0));
}

TEST(UseWindowTest, LargeNumbersDoNotEatTheDifferences) {
  // The transaction identifiers of an old cluster.
  const double far = 9e14;
  EXPECT_THAT(window_of({far, far + 6, far + 12, far + 18, far + 24, far + 30}).rate_per_second(),
              Optional(0.1));
}

TEST(UseWindowTest, NothingIsToldFromLessThanFiveMinutesOrThreePoints) {
  EXPECT_EQ(window_of({0, 60, 120, 180, 240}).rate_per_second(), std::nullopt);
  UseWindow two({});
  two.add(kStart, 0);
  two.add(kStart + minutes(30), 60);
  EXPECT_EQ(two.rate_per_second(), std::nullopt);
}

TEST(UseWindowTest, WhatIsOlderThanTheSpanIsForgotten) {
  std::vector<double> used;
  for (int i = 0; i < 60; ++i) used.push_back(i * 6000);
  // An hour of quiet after an hour of hurry.
  for (int i = 0; i <= 61; ++i) used.push_back(used[59]);
  EXPECT_THAT(window_of(used).rate_per_second(), Optional(DoubleNear(0, 1e-9)));
}

TEST(UseWindowTest, OneOutlierIsNotTheRate) {
  std::vector<double> used(31, 10);
  used[30] = 50;
  const auto rate = window_of(used).rate_per_second();
  ASSERT_TRUE(rate);
  EXPECT_LT(*rate, 40.0 / 1800 / 2) << "as the first and the last point alone would have it";
}

TEST(UseWindowTest, ASequenceThatWasSetBackBeginsAnewAndADiskDoesNot) {
  const std::vector<double> used{600, 660, 720, 780, 840, 900, 0, 1, 2};
  EXPECT_EQ(window_of(used, {.fall = UseWindow::Fall::begins_anew}).rate_per_second(),
            std::nullopt);
  const auto disk = window_of(used).rate_per_second();
  ASSERT_TRUE(disk);
  EXPECT_LT(*disk, 0);
}

TEST(UseWindowTest, ThereIsALimitToThePoints) {
  UseWindow window({.span = hours(24 * 365), .least = seconds(1)});
  for (int i = 0; i < 2000; ++i) window.add(kStart + seconds(i), i < 1000 ? 0 : i);
  EXPECT_THAT(window.rate_per_second(), Optional(1.0));
}

TEST(ExhaustionTest, OnlyWhatIsUsedUpHasATime) {
  EXPECT_THAT(seconds_to_exhaustion(2.0, 100), Optional(50.0));
  EXPECT_THAT(seconds_to_exhaustion(2.0, -5), Optional(0.0));
  EXPECT_EQ(seconds_to_exhaustion(std::nullopt, 100), std::nullopt);
  EXPECT_EQ(seconds_to_exhaustion(0.0, 100), std::nullopt);
  EXPECT_EQ(seconds_to_exhaustion(-1.0, 100), std::nullopt);
  EXPECT_EQ(seconds_to_exhaustion(1e-6, 1e12), std::nullopt) << "more than a thousand years";
}

}  // namespace
}  // namespace pantryd::probes
