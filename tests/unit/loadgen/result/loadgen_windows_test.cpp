// The windows of a second of several reactors, and the file that they are written to.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/result/result.h"
#include "loadgen/result/window_file.h"
#include "loadgen/result/windows.h"

namespace pantryd::loadgen {
namespace {

/// Hands over a second in which one operation had these response times.
void see(WindowCollector& windows, std::unique_ptr<WindowPart>& part, std::int64_t second,
         const std::vector<std::int64_t>& times_us) {
  part->second = second;
  auto& operation = part->operations[0];
  for (const auto us : times_us) {
    ++operation.offered;
    ++operation.completed;
    operation.response.record(us);
  }
  while (!windows.hand_over(part)) std::this_thread::yield();
}

TEST(WindowsTest, ThePercentileOfASecondIsThatOfAllReactorsTogether) {
  WindowCollector windows(2, 1);
  auto busy = windows.take();
  auto calm = windows.take();
  see(windows, busy, 0, std::vector<std::int64_t>(1000, 100));
  see(windows, calm, 0, {50'000});  // alone, its p99 would be 50 ms
  windows.hand_over_last(std::move(busy));
  windows.hand_over_last(std::move(calm));
  windows.finish();
  const auto seconds = windows.take_windows();
  ASSERT_FALSE(seconds.empty());
  EXPECT_EQ(seconds[0].completed, 1001);
  EXPECT_EQ(seconds[0].p99_us, 100);
}

TEST(WindowsTest, ASecondIsToldWhenAllReactorsHaveBeenThereAndOnlyOnce) {
  std::vector<std::int64_t> told;
  std::vector<std::int64_t> completed;
  WindowCollector windows(2, 1, [&](const WindowPart& sum) {
    told.push_back(sum.second);
    completed.push_back(sum.operations[0].completed);
  });
  auto a = windows.take();
  auto b = windows.take();
  for (std::int64_t second = -1; second < 3; ++second) see(windows, a, second, {10});
  see(windows, b, 0, {20, 30});  // it was held up, so that -1 went by
  a->second = 3;
  windows.hand_over_last(std::move(a));
  for (std::int64_t second = 1; second < 5; ++second) see(windows, b, second, {20});
  b->second = 5;
  windows.hand_over_last(std::move(b));
  windows.finish();
  EXPECT_THAT(told, testing::ElementsAre(-1, 0, 1, 2, 3, 4, 5));
  EXPECT_THAT(completed, testing::ElementsAre(1, 3, 2, 2, 1, 1, 0));
}

TEST(WindowsTest, AReactorNeverWaitsForASlowWriter) {
  std::mutex slow;
  std::unique_lock lock(slow);
  std::int64_t completed = 0;
  WindowCollector windows(1, 1, [&](const WindowPart& sum) {
    const std::lock_guard wait(slow);
    completed += sum.operations[0].completed;
  });
  auto part = windows.take();
  int refused = 0;
  for (std::int64_t second = 0; second < 100; ++second) {
    part->second = second;
    ++part->operations[0].completed;
    refused += windows.hand_over(part) ? 0 : 1;
  }
  EXPECT_GT(refused, 90);
  lock.unlock();
  windows.hand_over_last(std::move(part));
  windows.finish();
  EXPECT_EQ(completed, 100) << "what was refused is in a later second";
}

TEST(WindowsTest, TwoPhasesAreNotMixedHoweverSlowTheWriterIs) {
  std::mutex slow;
  std::unique_lock lock(slow);
  WindowCollector windows(1, 1, [&](const WindowPart&) { const std::lock_guard wait(slow); });
  auto part = windows.take();
  const auto phase_of = [&](Phase phase, std::int64_t count) {
    for (std::int64_t second = 0; second < count; ++second) {
      part->phase = phase;
      part->second = phase == Phase::warmup ? second - count : second;
      ++part->operations[0].completed;
      if (second + 1 < count) (void)windows.hand_over(part);
    }
  };
  phase_of(Phase::warmup, 20);
  windows.hand_over_phase(part);
  phase_of(Phase::measured, 30);
  windows.hand_over_phase(part);
  phase_of(Phase::drain, 40);
  lock.unlock();
  windows.hand_over_last(std::move(part));
  windows.finish();
  std::map<Phase, std::int64_t> completed;
  for (const auto& each : windows.take_windows()) completed[each.phase] += each.completed;
  EXPECT_EQ(completed[Phase::warmup], 20);
  EXPECT_EQ(completed[Phase::measured], 30);
  EXPECT_EQ(completed[Phase::drain], 40);
}

LoadOptions options_with(const std::filesystem::path& file) {
  LoadOptions options;
  options.workload.name = "w";
  options.workload.operations.resize(1);
  options.workload.operations[0].name = "say \"hello\"";
  options.windows_file = file.string();
  return options;
}

std::vector<nlohmann::json> lines_of(const std::filesystem::path& file) {
  std::vector<nlohmann::json> out;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

TEST(WindowFileTest, AHistogramComesBackFromItsLineAndTheEndIsMarked) {
  const auto path = std::filesystem::path(testing::TempDir()) / "windows-whole.jsonl";
  WindowFile file(options_with(path));
  WindowPart second(1);
  Histogram& before = second.operations[0].response;
  for (std::int64_t us = 1; us < 100'000; us += 7) before.record(us);
  second.operations[0].completed = before.count();
  file.write(second);
  EXPECT_FALSE(lines_of(path).back().contains("end")) << "a file that is cut off must show it";
  EXPECT_EQ(file.close(), "");
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["format"], "pantryd.load.windows");
  EXPECT_EQ(lines[2]["end"], true);
  const auto& operation = lines[1]["operations"]["say \"hello\""];
  Histogram after;
  for (const auto& pair : operation["response_us"]) {
    for (std::int64_t i = 0; i < pair[1].get<std::int64_t>(); ++i) after.record(pair[0]);
  }
  EXPECT_EQ(after.count(), before.count());
  for (const double q : {0.1, 0.5, 0.99, 0.999}) {
    EXPECT_EQ(after.quantile_us(q), before.quantile_us(q));
  }
  std::filesystem::remove(path);
}

TEST(WindowFileTest, AFullDiskIsToldAndAPlaceThatIsNoneIsRefused) {
  WindowFile full(options_with("/dev/full"));
  full.write(WindowPart(1));
  EXPECT_THAT(full.close(), testing::HasSubstr("/dev/full are not whole"));
  EXPECT_THROW(WindowFile(options_with("/nonexistent/windows")), Error);
  WindowFile none((LoadOptions()));
  none.write(WindowPart(0));
  EXPECT_EQ(none.close(), "");
}

TEST(RunTotalsTest, WhatTwoReactorsSawOfOneOutageIsOneOutage) {
  RunTotals a;
  RunTotals b;
  a.outages = {{5.0, 7.0, 3, 4, "57P01: bye"}, {20.0, std::nullopt, 1, 1, "08006: gone"}};
  b.outages = {{5.2, 7.5, 1, 2, "57P01: bye"}, {30.0, std::nullopt, 2, 2, "08006: gone"}};
  a.merge(b);
  ASSERT_EQ(a.outages.size(), 2U);
  EXPECT_DOUBLE_EQ(a.outages[0].from_s, 5.0);
  EXPECT_DOUBLE_EQ(a.outages[0].to_s.value(), 7.5);
  EXPECT_EQ(a.outages[0].connections_lost, 6);
  EXPECT_EQ(a.outages[1].to_s, std::nullopt);
  EXPECT_EQ(a.outages[1].operations_failed, 3);
}

}  // namespace
}  // namespace pantryd::loadgen
