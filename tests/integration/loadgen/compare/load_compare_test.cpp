// `load compare`, on result files and live on two variants of one load.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/compare/compare_live.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing_support::run_binary;
using testing_support::shared_sandbox;

std::string nap(const std::string& seconds) {
  return "version: 1\nname: naps\noperations:\n  - name: nap\n    weight: 1\n"
         "    slo: {p99: 5s}\n    steps: [{sql: 'SELECT pg_sleep(" +
         seconds + ")'}]\n";
}

LiveSide napping(const std::string& seconds) {
  LiveSide out;
  out.where = shared_sandbox().primary();
  out.load.workload = parse_workload(nap(seconds), "nap.yaml");
  out.load.connections = 4;
  out.load.duration = 2s;
  out.load.warmup = 200ms;
  return out;
}

const ComparedFigure* find(const Comparison& comparison, const FigureKey& key) {
  for (const auto& figure : comparison.figures) {
    if (figure.key == key) return &figure;
  }
  return nullptr;
}

TEST(CompareLiveTest, TwiceTheSleepIsShownInBothFiguresAndTheSidesTakeTurns) {
  LiveOptions options;
  options.pairs = 4;
  std::string turns;
  const auto comparison = compare_live(napping("0.02"), napping("0.04"), options,
                                       [&](std::string_view side, int) { turns += side; });
  EXPECT_EQ(turns, "ABBAABBA");
  const auto* throughput = find(comparison, {"nap", "throughput_per_s"});
  const auto* median = find(comparison, {"nap", "p50_us"});
  ASSERT_TRUE(throughput != nullptr && median != nullptr);
  EXPECT_EQ(throughput->shown, Shown::lower) << comparison.to_text();
  EXPECT_EQ(median->shown, Shown::higher) << comparison.to_text();
  EXPECT_GT(median->ratio, 1.2);
  EXPECT_EQ(nlohmann::json::parse(comparison.to_json())["method"], "pairs");
}

TEST(CompareLiveTest, VariantsAreAppliedAndWhatIsNoneIsRefused) {
  LoadOptions load;
  load.workload = load_workload("");
  for (const char* each : {"mode=pipelined", "rate=50", "users=70", "connections=7", "only=sale"}) {
    apply_variant(load, each);
  }
  EXPECT_EQ(load.mode, Mode::pipelined);
  EXPECT_EQ(load.rate_per_s, 50);
  EXPECT_EQ(load.users, 70);
  EXPECT_EQ(load.connections, 7);
  EXPECT_EQ(load.workload.operations.size(), 1U);
  for (const char* each : {"mode", "mode=x", "rate=x", "users=1.5", "seed=3", "=", ""}) {
    EXPECT_THROW(apply_variant(load, each), Error) << each;
  }
}

TEST(CompareLiveTest, APersonWhoEndsItTooEarlyGetsNoFigures) {
  StopFlag stop;
  stop.request();
  try {
    (void)compare_live(napping("0.02"), napping("0.02"), {}, {}, &stop);
    FAIL() << "figures without runs";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::inconclusive);
  }
}

TEST(CompareCommandTest, FilesAreComparedOrRefusedWithTheDifference) {
  const auto folder = testing_support::scratch_dir();
  const auto run = [&](const std::string& name, Mode mode) {
    auto side = napping("0.005");
    side.load.mode = mode;
    side.load.rate_per_s = 100;
    side.load.duration = 14s;
    const auto file = folder / name;
    write_file_atomically(file, to_json(run_and_judge(side.where, side.load)));
    return file.string();
  };
  const auto a = run("a.json", Mode::faithful);
  const auto b = run("b.json", Mode::pipelined);
  const auto out = (folder / "compared.json").string();

  const auto same =
      run_binary(places::binary, {"load", "compare", a, a, "--out", out, "--allow", "INVALID"});
  EXPECT_EQ(same.exit_code, 0) << same.output;
  EXPECT_THAT(same.output, HasSubstr("no difference shown"));
  EXPECT_EQ(nlohmann::json::parse(read_file(out))["format"], "pantryd.compare");

  const auto unwritten = run_binary(places::binary, {"load", "compare", a, a, "--out",
                                                     out + "/below/a/file", "--allow", "INVALID"});
  EXPECT_EQ(unwritten.exit_code, 9) << unwritten.output;
  EXPECT_THAT(unwritten.output, HasSubstr("no difference shown")) << "printed first";

  const auto unlike = run_binary(places::binary, {"load", "compare", a, b});
  EXPECT_EQ(unlike.exit_code, 2);
  EXPECT_THAT(unlike.output, HasSubstr("mode: faithful against pipelined"));
  EXPECT_THAT(unlike.output, HasSubstr("--allow"));
  // On a machine that is busy with other things a run may be INVALID; that is not the point here.
  const auto allowed = run_binary(
      places::binary, {"load", "compare", a, b, "--allow", "mode", "--allow", "INVALID"});
  EXPECT_THAT(allowed.output, HasSubstr("allowed: mode: faithful against pipelined"));

  const auto half = folder / "half.json";
  const auto whole = read_file(a);
  write_file_atomically(half, whole.substr(0, whole.size() / 2));
  const auto cut = run_binary(places::binary, {"load", "compare", a, half.string()});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_THAT(cut.output, HasSubstr("half.json: not a whole JSON document"));
  EXPECT_EQ(run_binary(places::binary, {"load", "compare", a}).exit_code, 2);
  EXPECT_EQ(run_binary(places::binary, {"load", "compare", a, "/no/such"}).exit_code, 2);
}

}  // namespace
}  // namespace pantryd::loadgen
