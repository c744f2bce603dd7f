// What it costs to record one response time. A line a figure: name value unit goal ok|short.
#include "base/random.h"
#include "loadgen/result/histogram.h"
#include "tests/bench/figures.h"

using namespace pantryd;
using namespace pantryd::loadgen;

namespace {

constexpr int kRounds = 5;
constexpr std::int64_t kSamples = 20'000'000;
constexpr double kGoalNs = 50;

/// Response times as servers have them: many short ones, some that are a thousand times as long.
std::vector<std::int64_t> samples() {
  std::vector<std::int64_t> out(1U << 16U);
  Random random(1);
  for (auto& us : out) us = std::int64_t{1} << random.below(24);
  for (auto& us : out) us += random.between(0, us);
  return out;
}

}  // namespace

int main() {
  const auto times_us = samples();
  bench::Rounds rounds;
  for (int round = 0; round < kRounds; ++round) {
    Histogram histogram;
    const auto began = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < kSamples; ++i) {
      histogram.record(times_us[static_cast<std::size_t>(i) & (times_us.size() - 1)]);
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - began;
    if (histogram.count() != kSamples) return 1;
    rounds.values.push_back(spent.count() / static_cast<double>(kSamples));
  }
  bench::figure("histogram_record", fmt::format("{:.1f}", rounds.median()), "ns",
                fmt::format("<={:.0f}", kGoalNs), rounds.median() <= kGoalNs);
}
