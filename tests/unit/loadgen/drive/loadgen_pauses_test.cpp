// How long an operation waits before it is tried again, and which slot is next.
#include <gmock/gmock.h>

#include <set>

#include "loadgen/drive/pauses.h"

namespace pantryd::loadgen {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMs = 1'000'000;

TEST(BackOffTest, DoublesUpToItsMaximumAndTheSeedTakesOffUpToAHalf) {
  const RetryPolicy policy{.most = 100, .pause = milliseconds(10), .pause_max = milliseconds(45)};
  const std::int64_t whole[] = {10, 20, 40, 45, 45};
  for (int retry = 1; retry <= 5; ++retry) {
    std::int64_t least = INT64_MAX;
    std::int64_t most = 0;
    for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
      const auto pause = back_off_ns(policy, retry, seed);
      least = std::min(least, pause);
      most = std::max(most, pause);
    }
    const auto expected = whole[retry - 1] * kMs;
    EXPECT_GE(least, expected / 2);
    EXPECT_LT(least, expected * 52 / 100);
    EXPECT_GT(most, expected * 98 / 100);
    EXPECT_LE(most, expected);
  }
  EXPECT_LE(back_off_ns(policy, 100, 1), 45 * kMs) << "no overflow";
}

TEST(BackOffTest, IsAFunctionOfItsSeed) {
  const RetryPolicy policy;
  std::set<std::int64_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(back_off_ns(policy, 1, seed), back_off_ns(policy, 1, seed));
    seen.insert(back_off_ns(policy, 1, seed));
  }
  EXPECT_GT(seen.size(), 95U);
}

TEST(PauseQueueTest, TheNextOneIsTheOneThatIsDueFirst) {
  PauseQueue queue;
  EXPECT_EQ(queue.next(), INT64_MAX);
  queue.add(30, 3);
  queue.add(10, 1);
  queue.add(20, 2);
  for (const int slot : {1, 2, 3}) {
    EXPECT_EQ(queue.next(), 10 * slot);
    EXPECT_EQ(queue.take(), slot);
  }
  EXPECT_EQ(queue.next(), INT64_MAX);
}

}  // namespace
}  // namespace pantryd::loadgen
