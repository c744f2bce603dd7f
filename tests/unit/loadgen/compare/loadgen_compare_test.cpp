// The statistics of a comparison: how often it is right on runs whose truth is known.
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "loadgen/compare/compare.h"

namespace pantryd::loadgen {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * M_PI * random.uniform());
}

/// Seconds around 500 operations and 20 ms, whose neighbours resemble each other by `memory`.
ComparedRun run_of_seconds(Random& random, double slower, int seconds = 120, double memory = 0.3) {
  ComparedRun run;
  double state = normal(random);
  for (int i = 0; i < seconds; ++i) {
    state = memory * state + std::sqrt(1 - memory * memory) * normal(random);
    run.seconds.push_back(
        {500 / slower + 22 * normal(random), 20'000 * slower * std::exp(0.15 * state)});
  }
  run.figures[{"", "throughput_per_s"}] = 500 / slower;
  run.figures[{"sale", "p99_us"}] = 20'000 * slower;
  return run;
}

std::vector<ComparedRun> runs(Random& random, double slower, int count, double drift = 0) {
  std::vector<ComparedRun> out;
  for (int i = 0; i < count; ++i) {
    ComparedRun run;
    run.name = "r" + std::to_string(i);
    run.figures[{"sale", "p99_us"}] = 20'000 * slower * std::exp(drift * i + 0.03 * normal(random));
    out.push_back(std::move(run));
  }
  return out;
}

Shown shown(const Comparison& comparison, const FigureKey& key) {
  for (const auto& figure : comparison.figures) {
    if (figure.key == key) return figure.shown;
  }
  ADD_FAILURE() << "no figure " << key.figure;
  return Shown::not_judged;
}

const FigureKey kThroughput{"", "throughput_per_s"};
const FigureKey kSeconds{"", "p99_of_seconds_us"};
const FigureKey kSale{"sale", "p99_us"};

TEST(CompareTest, RunsOfTheSameDistributionShowNoDifferenceAtLeast95TimesOf100) {
  int throughput = 0;
  int p99 = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto a = run_of_seconds(random, 1);
    const auto b = run_of_seconds(random, 1);
    const auto comparison = compare_runs({a}, {b}, seed);
    throughput += shown(comparison, kThroughput) == Shown::no_difference ? 1 : 0;
    p99 += shown(comparison, kSeconds) == Shown::no_difference ? 1 : 0;
  }
  EXPECT_GE(throughput, 95);
  EXPECT_GE(p99, 95);
}

TEST(CompareTest, TenPercentSlowerIsShownInOneRunASide) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto a = run_of_seconds(random, 1);
    const auto b = run_of_seconds(random, 1.1);
    const auto comparison = compare_runs({a}, {b}, seed);
    const bool both = shown(comparison, kThroughput) == Shown::lower &&
                      shown(comparison, kSeconds) == Shown::higher;
    found += both ? 1 : 0;
  }
  EXPECT_GE(found, 80);
}

TEST(CompareTest, RepeatedRunsOfTheSameShowNoDifferenceAndTenPercentIsShown) {
  int same = 0;
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    same +=
        shown(compare_runs(runs(random, 1, 5), runs(random, 1, 5)), kSale) == Shown::no_difference
            ? 1
            : 0;
    found += shown(compare_runs(runs(random, 1, 5), runs(random, 1.1, 5)), kSale) == Shown::higher
                 ? 1
                 : 0;
  }
  EXPECT_GE(same, 92);
  EXPECT_GE(found, 92);
}

TEST(CompareTest, PairsSeeThroughADriftThatHidesTheDifferenceFromRuns) {
  int pairs = 0;
  int apart = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto a = runs(random, 1, 6, 0.2);  // each pair a fifth slower than the one before
    const auto b = runs(random, 1.1, 6, 0.2);
    pairs += shown(compare_pairs(a, b), kSale) == Shown::higher ? 1 : 0;
    apart += shown(compare_runs(a, b), kSale) == Shown::higher ? 1 : 0;
  }
  EXPECT_GE(pairs, 90);
  EXPECT_LE(apart, 10);
}

TEST(CompareTest, PairsOfTheSameShowNoDifference) {
  int same = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto a = runs(random, 1, 6, 0.2);
    same += shown(compare_pairs(a, runs(random, 1, 6, 0.2)), kSale) == Shown::no_difference;
  }
  EXPECT_GE(same, 92);
}

TEST(CompareTest, TheIntervalHoldsTheRatioAndTurnsRoundWithTheSides) {
  Random random(5);
  const auto a = runs(random, 1, 4);
  const auto b = runs(random, 1.3, 4);
  const auto forth = compare_runs(a, b).figures.front();
  const auto back = compare_runs(b, a).figures.front();
  EXPECT_LT(forth.interval->first, forth.ratio);
  EXPECT_GT(forth.interval->second, forth.ratio);
  EXPECT_NEAR(forth.ratio * back.ratio, 1, 1e-9);
  EXPECT_NEAR(forth.interval->first * back.interval->second, 1, 1e-9);
}

TEST(CompareTest, TheSameSeedGivesTheSameInterval) {
  Random random(6);
  const auto a = run_of_seconds(random, 1);
  const auto b = run_of_seconds(random, 1);
  EXPECT_EQ(compare_runs({a}, {b}, 3).to_json(), compare_runs({a}, {b}, 3).to_json());
}

TEST(CompareTest, WhatHasNoScatterToGoByIsNotJudged) {
  Random random(7);
  auto a = run_of_seconds(random, 1);
  auto b = run_of_seconds(random, 2);
  EXPECT_EQ(shown(compare_runs({a}, {b}), kSale), Shown::not_judged);
  a.seconds.resize(5);
  const auto few = compare_runs({a}, {b});
  EXPECT_EQ(shown(few, kThroughput), Shown::not_judged);
  EXPECT_THAT(few.notes, Contains(HasSubstr("nothing can be judged")));
  const auto uneven = compare_runs(runs(random, 1, 1), runs(random, 2, 4));
  EXPECT_EQ(shown(uneven, kSale), Shown::not_judged);
  EXPECT_THROW((void)compare_runs({}, {b}), Error);
  EXPECT_THROW((void)compare_pairs({a}, {b}), Error);
}

/// 60 seconds of 50 sales, exponential around 20 ms.
ComparedRun run_of_histograms(Random& random, double slower) {
  ComparedRun run;
  for (int i = 0; i < 60; ++i) {
    ComparedRun::Second second;
    second.completed = 50;
    second.p99_us = 1;
    auto& part = second.operations["sale"];
    part.completed = 50;
    for (int k = 0; k < 50; ++k) {
      const double us = -20'000 * slower * std::log(1 - random.uniform());
      part.response_us.emplace_back(std::llround(us / 100) * 100 + 1, 1);
    }
    run.seconds.push_back(std::move(second));
  }
  return run;
}

TEST(CompareTest, OperationsAreJudgedByTheHistogramsOfTheirSeconds) {
  int same_p50 = 0;
  int same_p99 = 0;
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    const auto a = run_of_histograms(random, 1);
    const auto same = compare_runs({a}, {run_of_histograms(random, 1)}, seed);
    same_p50 += shown(same, {"sale", "p50_us"}) == Shown::no_difference ? 1 : 0;
    same_p99 += shown(same, kSale) == Shown::no_difference ? 1 : 0;
    const auto slower = compare_runs({a}, {run_of_histograms(random, 1.2)}, seed);
    found += shown(slower, {"sale", "p50_us"}) == Shown::higher ? 1 : 0;
  }
  EXPECT_GE(same_p50, 56);
  EXPECT_GE(same_p99, 56);
  EXPECT_GE(found, 55);
}

nlohmann::ordered_json result() {
  return nlohmann::ordered_json::parse(R"({
    "format": "pantryd.load", "version": 2, "verdict": "PASS", "stopped_early": false,
    "measured_s": 2.5, "completed_per_s": 100.0,
    "server": {"version": "15.1", "settings": {"shared_buffers": "128MB"}},
    "settings": {"workload": "grocery", "mode": "faithful", "loop": "open", "rate_per_s": 100,
                 "users": 10, "connections": 10},
    "dataset": {"seed": 1}, "client": {"cpu_us_per_operation": 40.0},
    "operations": [{"name": "sale", "completed": 290, "completed_per_s": 100.0,
                    "response_us": {"p50": 1000, "p99": 4000}}],
    "windows": [{"second": -1, "completed": 90, "p99_us": 9000},
                {"second": 0, "completed": 100, "p99_us": 4000},
                {"second": 1, "completed": 100, "p99_us": 6000},
                {"second": 2, "completed": 50, "p99_us": 4000}]})");
}

TEST(CompareFilesTest, AResultIsReadWithoutWarmUpAndWithoutThePartOfASecond) {
  const auto run = read_run("a.json", result().dump());
  EXPECT_EQ(run.seconds.size(), 2U);
  EXPECT_EQ(run.figures.at({"sale", "throughput_per_s"}), 100);
  EXPECT_EQ(run.figures.at(kSale), 4000);
  EXPECT_EQ(run.figures.at(kSeconds), 5000);
  EXPECT_EQ(run.figures.at({"", "cpu_us_per_operation"}), 40);
}

TEST(CompareFilesTest, HalfAndForeignFilesAreRefusedByName) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      (void)read_run("a.json", text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "accepted";
  };
  const auto whole = result().dump();
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    EXPECT_THAT(refusal(whole.substr(0, length)), StartsWith("a.json: not a whole JSON"));
  }
  EXPECT_THAT(refusal("[]"), HasSubstr("not a load result"));
  EXPECT_THAT(refusal(R"({"format": "pantryd.find_max"})"), HasSubstr("a pantryd.find_max"));
  EXPECT_THAT(refusal(R"({"format": 7})"), StartsWith("a.json: "));
  EXPECT_THAT(refusal(R"({"format": "pantryd.load", "version": 3})"), HasSubstr("newer"));
  EXPECT_THAT(refusal(R"({"format": "pantryd.load", "version": 2})"),
              HasSubstr("is not a result file"));
  EXPECT_THAT(refusal(R"({"format": "pantryd.load", "version": 1})"), HasSubstr("version 1"));
  try {
    (void)read_run("a.json", R"({"format": "pantryd.load", "version": 1})");
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), HasSubstr("Run the load again"));
  }
}

const std::string kWindowsHead =
    R"({"format":"pantryd.load.windows","version":2,"operations":["sale"]})"
    "\n";
const std::string kWindowsEnd = R"({"end":true,"seconds":4})"
                                "\n";

std::string window(int second) {
  return R"({"second":)" + std::to_string(second) +
         R"(,"completed":100,"operations":{"sale":{"completed":100,"response_us":[[900,99],[4000,1]]}}})"
         "\n";
}

TEST(CompareFilesTest, WindowsTakeThePlaceOfTheSecondsWithoutWarmUpAndDrain) {
  auto run = read_run("a.json", result().dump());
  add_windows(run, "a.jsonl",
              kWindowsHead + window(-1) + window(0) + window(1) + window(2) + kWindowsEnd);
  ASSERT_EQ(run.seconds.size(), 2U);
  EXPECT_EQ(run.seconds[0].operations.at("sale").response_us.size(), 2U);
  EXPECT_EQ(run.seconds[1].p99_us, 6000);
}

TEST(CompareFilesTest, WindowsOfAnotherRunAndHalfOnesAreRefused) {
  const auto refusal = [](const std::string& text) -> std::string {
    auto run = read_run("a.json", result().dump());
    try {
      add_windows(run, "a.jsonl", text);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto seconds = window(0) + window(1);
  EXPECT_THAT(refusal(kWindowsHead + seconds), HasSubstr("cut off"));
  EXPECT_THAT(refusal(kWindowsHead + seconds.substr(0, 90)), HasSubstr("cut off"));
  EXPECT_THAT(refusal(kWindowsHead + window(0) + kWindowsEnd), HasSubstr("1 seconds"));
  EXPECT_THAT(refusal(result().dump() + "\n"), HasSubstr("not a file of windows"));
  EXPECT_THAT(refusal(""), HasSubstr("not a file of windows"));
  auto other = seconds;
  for (auto at = other.find("sale"); at != std::string::npos; at = other.find("sale")) {
    other.replace(at, 4, "rest");
  }
  EXPECT_THAT(refusal(kWindowsHead + other + kWindowsEnd), HasSubstr("rest"));
}

TEST(CompareFilesTest, WhatIsUnlikeIsNamedAndMayBeAllowed) {
  auto other = result();
  EXPECT_THAT(run_differences(result().dump(), other.dump()), IsEmpty());
  other["settings"]["mode"] = "pipelined";
  other["server"]["settings"]["shared_buffers"] = "1GB";
  other["settings"]["seed"] = 9;
  other["settings"]["duration_s"] = 60;
  const auto found = run_differences(result().dump(), other.dump());
  EXPECT_THAT(found, ElementsAre("mode: faithful against pipelined",
                                 "setting shared_buffers: 128MB against 1GB"));
  EXPECT_THAT(not_allowed(found, {"mode"}), ElementsAre(StartsWith("setting shared_buffers")));
  EXPECT_THAT(not_allowed(found, {"mode", "setting shared_buffers"}), IsEmpty());
  EXPECT_THAT(not_allowed(found, {"all"}), IsEmpty());
  EXPECT_THAT(not_allowed(found, {"setting"}), testing::SizeIs(2));
}

TEST(CompareFilesTest, ARunThatMeasuredItsClientIsUnlike) {
  auto other = result();
  other["verdict"] = "INVALID";
  EXPECT_THAT(run_differences(result().dump(), other.dump()),
              ElementsAre(StartsWith("INVALID: B")));
}

TEST(CompareFilesTest, EnvironmentsAreComparedAndOneThatIsMissingIsToldOf) {
  auto a = result();
  auto b = result();
  a["environment"] = nlohmann::ordered_json::object();
  EXPECT_THAT(run_differences(a.dump(), b.dump()), ElementsAre("environment: recorded in A only"));
  b["environment"] = nlohmann::ordered_json::object();
  EXPECT_THAT(run_differences(a.dump(), b.dump()), IsEmpty());
}

}  // namespace
}  // namespace pantryd::loadgen
