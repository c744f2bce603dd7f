// The search of find-max on simulated servers whose capacity is known.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "loadgen/capacity/find_max.h"
#include "loadgen/judge/shares.h"
#include "loadgen/judge/verdict.h"
#include "tests/support/queueing.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing_support::draw_exponential;
using testing_support::simulate_queue;
using Server = std::function<TrialOutcome(const Trial&)>;

constexpr auto kSetup = 1s;  // what every trial costs beside its own length

std::int64_t quantile_us(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  return values.empty() ? 0 : std::llround(values[at] * 1e6);
}

/// The verdict of response times against an SLO, as judge() finds it.
TrialOutcome judged(const std::vector<double>& responses, double slo_s, const Trial& trial) {
  std::int64_t misses = 0;
  for (const double each : responses) misses += each > slo_s ? 1 : 0;
  const auto [low, high] = share_bounds(misses, static_cast<std::int64_t>(responses.size()));
  TrialOutcome out;
  out.verdict = low > kMissesMax ? Verdict::fail
                                 : (high <= kMissesMax ? Verdict::pass : Verdict::inconclusive);
  out.completed_per_s = trial.rate_per_s.value_or(0);
  out.p99_us = quantile_us(responses, 0.99);
  out.taken = trial.duration + kSetup;
  return out;
}

/// c servers, exponential service times; a null target carries `client_per_s`.
struct SimulatedServer {
  int servers = 4;
  double service_s = 0.005;
  double slo_s = 0.05;
  double client_per_s = 20'000;
  Random random{1};

  TrialOutcome operator()(const Trial& trial) {
    if (trial.null_target || !trial.rate_per_s) {
      TrialOutcome out;
      out.verdict = Verdict::pass;
      out.completed_per_s = trial.rate_per_s.value_or(
          trial.null_target ? client_per_s
                            : servers / service_s * (0.97 + 0.06 * random.uniform()));
      out.taken = trial.duration + kSetup;
      return out;
    }
    const auto seconds = static_cast<double>(trial.duration.count()) / 1000;
    const auto arrivals = std::llround(*trial.rate_per_s * seconds);
    return judged(simulate_queue(servers, *trial.rate_per_s, arrivals, random,
                                 [&](Random& r) { return draw_exponential(r, service_s); }),
                  slo_s, trial);
  }
  [[nodiscard]] double capacity() const {
    return testing_support::mmc_capacity_per_s(servers, service_s, slo_s, kMissesMax);
  }
};

SearchResult search(const SearchSettings& settings, const Server& server) {
  FindMax find(settings);
  for (int i = 0; i < 1000; ++i) {
    const auto trial = find.next_trial();
    if (!trial) return find.result();
    find.report(server(*trial));
  }
  ADD_FAILURE() << "the search does not end";
  return find.result();
}

SearchSettings patient() {
  SearchSettings settings;
  settings.budget = 24h;
  return settings;
}

int count(const SearchResult& result, Purpose purpose) {
  return static_cast<int>(
      std::count_if(result.points.begin(), result.points.end(),
                    [&](const SearchPoint& point) { return point.trial.purpose == purpose; }));
}

TEST(FindMaxTest, TheIntervalIsNarrowAndLiesAtTheCapacityThatTheoryKnows) {
  int near = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedServer server;
    server.random = Random(seed);
    const auto result = search(patient(), std::ref(server));
    ASSERT_EQ(result.verdict, Verdict::pass) << testing::PrintToString(result.reasons);
    ASSERT_TRUE(result.low_per_s && result.high_per_s);
    EXPECT_LE(*result.width(), 0.05);
    EXPECT_EQ(result.confirmed, 3);
    // A rate passes when it is shown to pass, so the interval lies somewhat below theory.
    EXPECT_LT(*result.low_per_s, server.capacity() * 1.03);
    EXPECT_GT(*result.high_per_s, server.capacity() * 0.85);
    near += *result.high_per_s > server.capacity() * 0.93 ? 1 : 0;
  }
  EXPECT_GE(near, 15);
}

TEST(FindMaxTest, TwoSearchesOfTheSameServerMostlyOverlap) {
  int overlaps = 0;
  constexpr int kPairs = 20;
  for (std::uint64_t seed = 1; seed <= kPairs; ++seed) {
    SimulatedServer server;
    server.random = Random(100 + seed);
    const auto a = search(patient(), std::ref(server));
    const auto b = search(patient(), std::ref(server));
    ASSERT_TRUE(a.width() && b.width());
    overlaps += *a.low_per_s <= *b.high_per_s && *b.low_per_s <= *a.high_per_s ? 1 : 0;
  }
  EXPECT_GE(overlaps, 15);
}

TEST(FindMaxTest, TenThousandASecondIsFoundAsWellAsTwenty) {
  for (const double service_s : {0.2, 0.0004}) {
    SimulatedServer server;
    server.service_s = service_s;
    server.slo_s = 10 * service_s;
    server.client_per_s = 100 / service_s;
    const auto result = search(patient(), std::ref(server));
    ASSERT_EQ(result.verdict, Verdict::pass) << testing::PrintToString(result.reasons);
    EXPECT_GT(*result.low_per_s, 0.75 * server.capacity());
    EXPECT_LT(*result.low_per_s, 1.1 * server.capacity());
  }
}

TEST(FindMaxTest, AnSloThatNoRateMeetsFailsAtTheBaseAndCostsLittle) {
  SimulatedServer server;
  server.slo_s = 0.004;  // below the mean of the service time
  const auto result = search(patient(), std::ref(server));
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_FALSE(result.low_per_s);
  EXPECT_EQ(count(result, Purpose::bracket), 0);
  EXPECT_THAT(result.reasons.front(), testing::HasSubstr("No rate is sustainable"));
}

TEST(FindMaxTest, AServerFasterThanTheClientIsInvalidAndTheClientIsNamed) {
  SimulatedServer server;
  server.client_per_s = 600;  // the server carries some 700/s; asked for are 300/s at most
  const auto result = search(patient(), std::ref(server));
  EXPECT_EQ(result.verdict, Verdict::invalid);
  EXPECT_THAT(result.reasons.front(), testing::HasSubstr("client was the limit"));
  EXPECT_NEAR(*result.low_per_s, 300, 0.001);
  EXPECT_FALSE(result.high_per_s);
  for (const auto& point : result.points) {
    EXPECT_LE(point.trial.rate_per_s.value_or(0), 300.001);
  }
}

TEST(FindMaxTest, AClientThatIsLateAgainstNothingIsAskedForLess) {
  SimulatedServer server;
  const auto result = search(patient(), [&](const Trial& trial) {
    auto outcome = server(trial);
    if (trial.null_target && trial.rate_per_s.value_or(0) > 4'000) {
      outcome.verdict = Verdict::invalid;
    }
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::pass);
  EXPECT_NEAR(*result.client_limit_per_s, 2'500, 0.001);
}

TEST(FindMaxTest, SpoiledTrialsAreRepeatedAndTheSearchStillEnds) {
  SimulatedServer server;
  Random flaky(7);
  const auto result = search(patient(), [&](const Trial& trial) {
    auto outcome = server(trial);
    if (trial.rate_per_s && !trial.null_target && flaky.chance(0.25)) {
      outcome.verdict = Verdict::invalid;
    }
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::pass) << testing::PrintToString(result.reasons);
  EXPECT_LE(*result.width(), 0.05);
}

TEST(FindMaxTest, TrialsThatAreAlwaysSpoiledEndTheSearchAsInvalid) {
  SimulatedServer server;
  const auto result = search(patient(), [&](const Trial& trial) {
    auto outcome = server(trial);
    if (trial.rate_per_s.value_or(0) > 500 && !trial.null_target) {
      outcome.verdict = Verdict::invalid;
      outcome.reason = "The client was late.";
    }
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::invalid);
  EXPECT_THAT(result.reasons.front(), testing::HasSubstr("The client was late."));
  EXPECT_NEAR(*result.low_per_s, 400, 20);  // half of the closed loop, which passed
}

TEST(FindMaxTest, AServerThatRemembersItsOverloadIsToldOf) {
  SimulatedServer server;
  double grudge = 1;
  const auto result = search(patient(), [&](const Trial& trial) {
    auto slower = server;
    slower.service_s *= grudge;
    const auto outcome = slower(trial);
    server.random = slower.random;
    if (trial.purpose == Purpose::anneal) grudge = 1.5;
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::pass);
  ASSERT_TRUE(result.hysteresis);
  EXPECT_TRUE(*result.hysteresis);
  EXPECT_THAT(result.reasons.back(), testing::HasSubstr("hysteresis"));
}

TEST(FindMaxTest, AServerThatForgetsItsOverloadHasNoHysteresis) {
  SimulatedServer server;
  server.random = Random(3);
  const auto result = search(patient(), std::ref(server));
  ASSERT_TRUE(result.hysteresis);
  EXPECT_FALSE(*result.hysteresis);
}

TEST(FindMaxTest, TheLowerEndThatDoesNotPassAgainIsLowered) {
  // What the short trials let pass and the long ones do not: the capacity falls with the length.
  const auto result = search(patient(), [](const Trial& trial) {
    TrialOutcome outcome;
    outcome.taken = trial.duration;
    const double limit = trial.purpose == Purpose::confirm ? 700 : 780;
    outcome.completed_per_s = trial.null_target ? 100'000 : trial.rate_per_s.value_or(1000);
    outcome.verdict = outcome.completed_per_s <= limit ? Verdict::pass : Verdict::fail;
    if (trial.null_target) outcome.verdict = Verdict::pass;
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::pass);
  EXPECT_LE(*result.low_per_s, 700);
  EXPECT_GE(*result.high_per_s, 700);
  EXPECT_LE(*result.width(), 0.05);
  EXPECT_GT(count(result, Purpose::confirm), 3);
}

TEST(FindMaxTest, NoTrialLiesAboveTheKnownFailureAndTheyLengthen) {
  SimulatedServer server;
  const auto result = search(patient(), std::ref(server));
  double lowest_fail = 1e9;
  auto shortest = 0ms;
  for (const auto& point : result.points) {
    const auto& trial = point.trial;
    if (trial.purpose != Purpose::bracket && trial.purpose != Purpose::narrow) continue;
    EXPECT_LT(*trial.rate_per_s, lowest_fail);
    if (point.outcome.verdict == Verdict::fail) lowest_fail = *trial.rate_per_s;
    shortest = shortest == 0ms ? trial.duration : std::min(shortest, trial.duration);
    EXPECT_LE(trial.duration, 4 * 8 * 5s);
  }
  const auto last =
      std::find_if(result.points.rbegin(), result.points.rend(),
                   [](const SearchPoint& point) { return point.trial.purpose == Purpose::narrow; });
  ASSERT_NE(last, result.points.rend());
  EXPECT_GE(last->trial.duration, 2 * shortest);
}

TEST(FindMaxTest, TooShortToSayIsLengthenedAndThenNoPass) {
  const auto result = search(patient(), [](const Trial& trial) {
    TrialOutcome outcome;
    outcome.taken = trial.duration;
    outcome.completed_per_s = trial.null_target ? 100'000 : trial.rate_per_s.value_or(1000);
    const bool unclear = trial.rate_per_s.value_or(0) > 600 && !trial.null_target;
    outcome.verdict = unclear ? Verdict::inconclusive : Verdict::pass;
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::pass);
  EXPECT_LE(*result.low_per_s, 600);
  EXPECT_GT(*result.high_per_s, 600);
  for (std::size_t i = 1; i < result.points.size(); ++i) {
    const auto& before = result.points[i - 1];
    const auto& here = result.points[i];
    if (before.trial.rate_per_s != here.trial.rate_per_s) continue;
    if (before.outcome.verdict == Verdict::inconclusive) {
      EXPECT_EQ(here.trial.duration, 2 * before.trial.duration);
    }
  }
}

TEST(FindMaxTest, TheBottleneckIsThatOfTheLowestRateThatFailed) {
  SimulatedServer server;
  const auto result = search(patient(), [&](const Trial& trial) {
    auto outcome = server(trial);
    outcome.bottleneck = "at " + std::to_string(std::llround(trial.rate_per_s.value_or(0)));
    return outcome;
  });
  double lowest = 1e9;
  for (const auto& point : result.points) {
    if (point.outcome.verdict == Verdict::fail) {
      lowest = std::min(lowest, point.trial.rate_per_s.value_or(1e9));
    }
  }
  EXPECT_EQ(result.bottleneck(), "at " + std::to_string(std::llround(lowest)));
  EXPECT_EQ(SearchResult().bottleneck(), "");
}

TEST(FindMaxTest, TheBudgetEndsTheSearchWithWhatIsKnown) {
  SimulatedServer server;
  SearchSettings settings;
  settings.budget = 40s;
  const auto result = search(settings, std::ref(server));
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_TRUE(result.low_per_s);
  auto taken = 0ms;
  for (const auto& point : result.points) taken += point.outcome.taken;
  EXPECT_LE(taken, 40s + kSetup);
  EXPECT_THAT(result.reasons.back(), testing::HasSubstr("budget"));
}

TEST(FindMaxTest, TheNumberOfTrialsHasALimitWhateverTheServerSays) {
  Random coin(5);
  auto settings = patient();
  settings.trials_max = 25;
  for (int round = 0; round < 50; ++round) {
    const auto result = search(settings, [&](const Trial& trial) {
      TrialOutcome outcome;
      outcome.completed_per_s = trial.null_target ? 1e6 : trial.rate_per_s.value_or(1000);
      outcome.taken = trial.duration;
      outcome.verdict = static_cast<Verdict>(coin.below(4));
      if (trial.null_target || trial.purpose == Purpose::base) outcome.verdict = Verdict::pass;
      return outcome;
    });
    EXPECT_LE(result.points.size(), 25U);
    EXPECT_GT(result.width().value_or(1), 0);
    EXPECT_EQ(result.verdict == Verdict::pass, result.confirmed == 3);
  }
}

TEST(FindMaxTest, APersonEndsItAtOnce) {
  SimulatedServer server;
  int trials = 0;
  const auto result = search(patient(), [&](const Trial& trial) {
    auto outcome = server(trial);
    outcome.stopped = ++trials == 5;
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_EQ(result.points.size(), 5U);
}

TEST(FindMaxTest, AServerThatAnswersNothingFails) {
  const auto result = search(patient(), [](const Trial& trial) {
    TrialOutcome outcome;
    outcome.taken = trial.duration;
    outcome.completed_per_s = trial.null_target ? 1'000 : 0;
    outcome.verdict = trial.null_target ? Verdict::pass : Verdict::fail;
    return outcome;
  });
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(count(result, Purpose::base), 0);
}

}  // namespace
}  // namespace pantryd::loadgen
