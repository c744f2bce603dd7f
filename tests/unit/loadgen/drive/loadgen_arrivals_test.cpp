// The schedule of arrivals, rate plans, and the queue of arrivals that wait for a user.
#include <gmock/gmock.h>

#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "base/error.h"
#include "loadgen/drive/arrival_queue.h"
#include "loadgen/drive/schedule.h"
#include "loadgen/drive/users.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;

std::vector<Arrival> all_of(Schedule schedule) {
  std::vector<Arrival> out;
  for (; !schedule.done(); schedule.pop()) out.push_back(schedule.peek());
  return out;
}

std::int64_t between(const std::vector<Arrival>& arrivals, double from_s, double to_s) {
  std::int64_t count = 0;
  for (const auto& each : arrivals) {
    const auto at = static_cast<double>(each.intended_ns) * 1e-9;
    count += at >= from_s && at < to_s ? 1 : 0;
  }
  return count;
}

TEST(ScheduleTest, ARampBringsAsManyArrivalsAsItsAreaInEachPartOfIt) {
  const RatePlan plan{{{100s, 0, 1000}, {50s, 1000, 1000}, {50s, 200, 0}}};
  const auto arrivals = all_of({plan, Arrivals::poisson, 7, Mix({1})});
  for (double from = 0; from < 200; from += 10) {
    double expected = 0;
    for (double at = from + 0.05; at < from + 10; at += 0.1) expected += 0.1 * plan.at(at);
    const auto seen = static_cast<double>(between(arrivals, from, from + 10));
    EXPECT_NEAR(seen, expected, 5 * std::sqrt(expected) + 1) << from;
  }
  EXPECT_EQ(between(arrivals, 200, 1e9), 0);
}

TEST(ScheduleTest, AGridHasEqualGapsAndFollowsARampExactly) {
  const auto even = all_of({{{{10s, 100, 100}}}, Arrivals::fixed, 1, Mix({1})});
  ASSERT_EQ(even.size(), 1000U);
  for (std::size_t i = 0; i < even.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(even[i].intended_ns), 5e6 + 1e7 * static_cast<double>(i), 10);
  }
  const auto ramp = all_of({{{{10s, 0, 200}}}, Arrivals::fixed, 1, Mix({1})});
  EXPECT_EQ(ramp.size(), 1000U);
  EXPECT_EQ(between(ramp, 0, 5), 250);
}

TEST(ScheduleTest, PartsTogetherAreTheWholeAndEachIsAPoissonStreamOfItsOwn) {
  const RatePlan plan{{{100s, 1000, 1000}}};
  const auto whole = all_of({plan, Arrivals::poisson, 3, Mix({1, 2})});
  std::map<std::uint64_t, Arrival> together;
  for (std::uint32_t part = 0; part < 4; ++part) {
    const auto share = all_of({plan, Arrivals::poisson, 3, Mix({1, 2}), part, 4});
    EXPECT_NEAR(static_cast<double>(share.size()), static_cast<double>(whole.size()) / 4,
                5 * std::sqrt(25'000));
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 1; i < share.size(); ++i) {
      const auto gap = static_cast<double>(share[i].intended_ns - share[i - 1].intended_ns);
      sum += gap;
      squares += gap * gap;
    }
    const auto count = static_cast<double>(share.size() - 1);
    const double mean = sum / count;
    // Of an exponential distribution the standard deviation equals the mean.
    EXPECT_NEAR(std::sqrt(squares / count - mean * mean) / mean, 1, 0.04);
    for (const auto& each : share) EXPECT_TRUE(together.emplace(each.number, each).second);
  }
  ASSERT_EQ(together.size(), whole.size());
  for (const auto& each : whole) {
    EXPECT_EQ(together.at(each.number).intended_ns, each.intended_ns);
    EXPECT_EQ(together.at(each.number).operation, each.operation);
  }
}

TEST(RatePlanTest, RampsAndStepsAreReadAndNonsenseIsRefused) {
  const auto plan = parse_rate_plan("100:1000:60s,500:2m");
  EXPECT_EQ(plan.length(), 3min);
  EXPECT_DOUBLE_EQ(plan.mean_per_s(), (33'000.0 + 60'000) / 180);
  EXPECT_DOUBLE_EQ(plan.at(179), 500);
  EXPECT_DOUBLE_EQ(plan.at(181), 0);
  for (const char* wrong :
       {"", "100", "100:60", "x:60s", "-1:60s", "1:2:3:4s", "0:0:5s", "5:0s", "1e9:5s", "5:60s,"}) {
    EXPECT_THROW((void)parse_rate_plan(wrong), Error) << wrong;
  }
}

TEST(RatePlanTest, TheDayHasItsPeakHourAtTwiceTheMeanOpenHour) {
  const auto day = day_curve(100, 24h);
  EXPECT_EQ(day.length(), 24h);
  EXPECT_NEAR(day.arrivals(), 15 * 3600 * 100.0, 1);  // open from 7 to 22
  double peak = 0;
  for (const auto& line : day.lines) peak = std::max(peak, line.from_per_s);
  EXPECT_DOUBLE_EQ(peak, 200);
  EXPECT_EQ(day_curve(1, 1001ms).length(), 1001ms);
}

TEST(ClosedUsersTest, EachThinksForAnExponentialTimeFromTheFirstMomentOn) {
  constexpr int users = 20'000;
  UserHabits habits;
  habits.think = 2s;
  ClosedUsers people(users, habits, 5, Mix({1}), 0, 1);
  double sum_s = 0;
  std::int64_t within_a_second = 0;
  std::int64_t last = 0;
  for (int i = 0; i < users; ++i) {
    const auto at = people.take().intended_ns;
    EXPECT_GE(at, last);
    last = at;
    sum_s += static_cast<double>(at) * 1e-9;
    within_a_second += at < 1'000'000'000 ? 1 : 0;
  }
  EXPECT_NEAR(sum_s / users, 2, 0.06);
  EXPECT_NEAR(static_cast<double>(within_a_second) / users, 1 - std::exp(-0.5), 0.015);
  EXPECT_EQ(people.next_ns(), INT64_MAX);
  people.think(last);
  EXPECT_GT(people.next_ns(), last);
}

TEST(ClosedUsersTest, ASessionEndsInAPauseAndWithoutHabitsTheNextOperationIsDueAtOnce) {
  UserHabits habits;
  habits.think = 1s;
  habits.operations = 4;
  habits.pause = 100s;
  ClosedUsers people(10'000, habits, 5, Mix({1}), 0, 1);
  double sum_s = 0;
  for (int i = 0; i < 10'000; ++i) sum_s += static_cast<double>(people.take().intended_ns) * 1e-9;
  EXPECT_NEAR(sum_s / 10'000, 0.75 * 1 + 0.25 * 100, 2);
  ClosedUsers hasty(3, {}, 5, Mix({1}), 1, 2);
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 3; ++i) numbers.insert(hasty.take().number);
  EXPECT_THAT(numbers, testing::ElementsAre(1, 3, 5));
  hasty.think(77);
  EXPECT_EQ(hasty.next_ns(), 77);
}

TEST(ArrivalQueueTest, KeepsItsOrderWhileItGrows) {
  ArrivalQueue queue;
  std::deque<std::uint64_t> model;
  Random random(1);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    Arrival arrival;
    arrival.number = i;
    const auto what = random.below(9);
    if (what < 5) {
      queue.push_back(arrival);
      model.push_back(i);
    } else if (!queue.empty()) {
      ASSERT_EQ(queue.front().number, model.front());
      queue.pop_front();
      model.pop_front();
    }
    ASSERT_EQ(queue.size(), model.size());
  }
  for (std::size_t i = 0; i < model.size(); ++i) EXPECT_EQ(queue.at(i).number, model[i]);
  EXPECT_GT(model.size(), 64U);
}

}  // namespace
}  // namespace pantryd::loadgen
