// Gathering evidence with hands that only write down what they were asked for.
#include "validate/stages.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/drive/load.h"
#include "tests/support/shared_sandbox.h"
#include "validate/check.h"
#include "validate/sheet.h"

namespace pantryd::validate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// Writes down the loads, and answers with results that hold their options.
struct Recorder {
  std::vector<loadgen::LoadOptions> driven;
  std::vector<std::string> asked;
  std::vector<std::string> lines;
  std::string refusal;  ///< of every load, when it is not empty

  Hands hands() {
    Hands out;
    out.drive = [this](const loadgen::LoadOptions& options) {
      driven.push_back(options);
      if (!refusal.empty()) throw Error(ExitCode::failed, refusal, "Do something else.");
      loadgen::LoadResult result;
      result.options = options;
      return result;
    };
    out.look = [] { return std::vector<ServerEvidence>{{.name = "main", .up = true}}; };
    out.ask = [this](const std::string& query) {
      asked.push_back(query);
      return Answer{{{"7"}}, {}};
    };
    out.announce = [this](const std::string& line) { lines.push_back(line); };
    return out;
  }
};

std::vector<Claim> sheet(const std::string& claims) {
  return parse_claims("version: 1\nclaims:\n" + claims, "c.yaml");
}

TEST(StagesTest, ClaimsThatWantTheSameLoadShareOneRun) {
  Recorder recorder;
  const auto claims = sheet(
      "  - {id: a, text: t, check: throughput, at_least: 10, offered: 20}\n"
      "  - {id: b, text: t, check: throughput, at_least: 15, offered: 20}\n");
  (void)gather(claims, {}, recorder.hands(), nullptr);
  ASSERT_EQ(recorder.driven.size(), 1U);
  EXPECT_THAT(recorder.lines, ElementsAre(HasSubstr("for a, b:")));
}

TEST(StagesTest, TheShippedSheetRunsALoadForEachOfItsClaimsAboutLoads) {
  Recorder recorder;
  const auto evidence = gather(load_claims(""), {}, recorder.hands(), nullptr);
  ASSERT_EQ(recorder.driven.size(), 3U) << "two closed loops, one at the claimed rate";
  EXPECT_FALSE(recorder.driven[0].rate_per_s);
  EXPECT_FALSE(recorder.driven[1].rate_per_s);
  EXPECT_EQ(recorder.driven[2].rate_per_s, 1100);
  EXPECT_THAT(recorder.lines,
              ElementsAre(HasSubstr("for users-100:"), HasSubstr("for query-subsecond:"),
                          HasSubstr("for tps-1000:")));
  EXPECT_EQ(evidence.servers.size(), 1U);
}

// The second of two claims about throughput was judged by the run of the first, and printed a rate
// that was never offered.
TEST(StagesTest, ClaimsThatWantDifferentLoadsAreJudgedByRunsOfTheirOwn) {
  Recorder recorder;
  const auto claims = sheet(
      "  - {id: a, text: t, check: throughput, at_least: 10, offered: 20}\n"
      "  - {id: b, text: t, check: throughput, at_least: 200, offered: 250}\n");
  const auto evidence = gather(claims, {}, recorder.hands(), nullptr);
  ASSERT_EQ(recorder.driven.size(), 2U);
  const auto verdicts = judge_claims(claims, evidence);
  EXPECT_THAT(verdicts[0].evidence.at(0), HasSubstr("offered at 20/s"));
  EXPECT_THAT(verdicts[1].evidence.at(0), HasSubstr("offered at 250/s"));
}

TEST(StagesTest, ALoadThatCannotRunIsTheVerdictOfItsClaimsOnly) {
  Recorder recorder;
  recorder.refusal = "no room";
  const auto claims = load_claims("");
  const auto evidence = gather(claims, {}, recorder.hands(), nullptr);
  EXPECT_EQ(recorder.driven.size(), 3U) << "the others are tried all the same";
  EXPECT_EQ(evidence.servers.size(), 1U);
  const auto verdicts = judge_claims(claims, evidence);
  EXPECT_EQ(verdicts[0].verdict, Verdict::inconclusive);
  EXPECT_THAT(verdicts[0].evidence.at(0), HasSubstr("no room. Do something else."));
}

TEST(StagesTest, AfterAStopNoFurtherLoadBegins) {
  Recorder recorder;
  StopFlag stop;
  stop.request();
  const auto evidence = gather(load_claims(""), {}, recorder.hands(), &stop);
  EXPECT_TRUE(recorder.driven.empty());
  EXPECT_EQ(evidence.loads.size(), 3U);
  EXPECT_EQ(evidence.servers.size(), 1U) << "the other claims are still judged";
}

TEST(StagesTest, ALoadThatTheServerHasNoRoomForIsForbiddenAndOthersAreNot) {
  Recorder recorder;
  auto hands = recorder.hands();
  hands.drive = [](const loadgen::LoadOptions& options) -> loadgen::LoadResult {
    if (options.rate_per_s) throw loadgen::NoRoom(ExitCode::failed, "no room");
    throw Error(ExitCode::failed, "not seeded");
  };
  for (const auto& run : gather(load_claims(""), {}, hands, nullptr).loads) {
    EXPECT_EQ(run.forbidden, run.need.rate_per_s.has_value()) << run.problem;
  }
}

TEST(StagesTest, RareOperationsAreRaisedAndSwitchedOffOnesAreNot) {
  LoadNeed need;
  need.raise_rare = true;
  const auto options = options_of(need, {}, 5s);
  double total = 0;
  for (const auto& each : options.workload.operations) total += each.weight;
  for (const auto& each : options.workload.operations) EXPECT_GT(each.weight, 0.015 * total);
  need.raise_rare = false;
  const auto as_written = options_of(need, {}, 5s);
  EXPECT_TRUE(std::any_of(as_written.workload.operations.begin(),
                          as_written.workload.operations.end(),
                          [](const auto& each) { return each.weight < 0.5; }));
}

/// The times of the runs of a latency claim whose only operation ran so often in the first of them,
/// with so many errors.
std::vector<std::chrono::milliseconds> times_with(std::int64_t samples, const std::string& keys,
                                                  std::int64_t errors = 0) {
  Recorder recorder;
  auto hands = recorder.hands();
  hands.drive = [&](const loadgen::LoadOptions& options) {
    recorder.driven.push_back(options);
    loadgen::LoadResult result;
    result.options = options;
    result.operations.push_back({.name = "lookup"});
    result.operations[0].totals.offered = samples;
    result.operations[0].totals.errors = errors;
    return result;
  };
  (void)gather(sheet("  - {id: a, text: t, check: latency, p99: 1s" + keys + "}\n"),
               {.budget = 30s}, hands, nullptr);
  std::vector<std::chrono::milliseconds> out;
  for (const auto& each : recorder.driven) out.push_back(each.duration);
  return out;
}

TEST(StagesTest, ALoadGoesOnUntilARareOperationHasItsSamples) {
  EXPECT_THAT(times_with(300, ""), ElementsAre(10s));
  EXPECT_THAT(times_with(150, ""), ElementsAre(10s, 25s));
  EXPECT_THAT(times_with(1, ""), ElementsAre(10s, 2min)) << "there is a limit";
  EXPECT_THAT(times_with(0, ""), ElementsAre(10s)) << "no time is long enough";
  EXPECT_THAT(times_with(150, "", 10), ElementsAre(10s)) << "errors are evidence, and are kept";
  EXPECT_THAT(times_with(150, ", duration: 8s"), ElementsAre(8s)) << "the claim says how long";
}

TEST(StagesTest, AnOperationOfWeightZeroIsInNoLoad) {
  const auto file = testing_support::scratch_dir() / "off.yaml";
  write_file_atomically(file,
                        "version: 1\nname: off\noperations:\n"
                        "  - {name: read, weight: 5, steps: [{sql: SELECT 1}]}\n"
                        "  - {name: remove, weight: 0, steps: [{sql: DELETE FROM sales}]}\n");
  LoadNeed need;
  need.workload = file.string();
  for (const bool raise_rare : {true, false}) {
    need.raise_rare = raise_rare;
    const auto operations = options_of(need, {}, 5s).workload.operations;
    ASSERT_EQ(operations.size(), 1U);
    EXPECT_EQ(operations[0].name, "read");
  }
}

TEST(StagesTest, TheBudgetIsSharedByTheLoadsOfEachKind) {
  LoadNeed closed;
  LoadNeed open;
  open.rate_per_s = 100;
  EXPECT_THAT(split_budget(90s, {closed, open}), ElementsAre(30s, 60s));
  EXPECT_THAT(split_budget(90s, {closed, open, open}), ElementsAre(30s, 30s, 30s));
  EXPECT_THAT(split_budget(6s, {closed, open}), ElementsAre(5s, 20s));
}

}  // namespace
}  // namespace pantryd::validate
