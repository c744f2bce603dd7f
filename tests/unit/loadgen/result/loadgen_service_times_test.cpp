// Coarse histograms of service times and their blocks.
#include <gmock/gmock.h>

#include "loadgen/result/service_times.h"

namespace pantryd::loadgen {
namespace {

Histogram of(std::initializer_list<std::int64_t> times) {
  Histogram out;
  for (const auto us : times) out.record(us);
  return out;
}

TEST(ServiceSketchTest, QuantilesAreThoseOfTheHistogramWithinItsStep) {
  Histogram exact;
  for (std::int64_t us = 1; us <= 100'000; us += 7) exact.record(us);
  ServiceSketch sketch;
  sketch.add(exact);
  EXPECT_EQ(sketch.count(), exact.count());
  for (const double q : {0.01, 0.25, 0.5, 0.95, 0.99}) {
    const auto wanted = static_cast<double>(exact.quantile_us(q));
    EXPECT_NEAR(sketch.quantile_us(q), wanted, 0.01 * wanted) << q;
    EXPECT_NEAR(sketch.share_above(wanted), 1 - q, 0.01) << q;
  }
  EXPECT_EQ(ServiceSketch().quantile_us(0.5), 0);
}

TEST(ServiceBlocksTest, ALongRunKeepsItsTimesInTheSameMemory) {
  ServiceBlocks blocks;
  for (std::int64_t second = 0; second < 1000; ++second) blocks.add(second, of({1000, 2000}));
  EXPECT_LE(blocks.blocks().size(), ServiceBlocks::kBlocksMax);
  EXPECT_EQ(blocks.seconds_each(), 16);
  std::int64_t sum = 0;
  for (const auto& each : blocks.blocks()) sum += each.count();
  EXPECT_EQ(sum, 2000);
  EXPECT_EQ(blocks.blocks().front().count(), 32);
}

TEST(ServiceBlocksTest, ASecondWithoutOperationsIsAnEmptyBlock) {
  ServiceBlocks blocks;
  blocks.add(0, of({1}));
  blocks.add(3, of({1}));
  ASSERT_EQ(blocks.blocks().size(), 4U);
  EXPECT_EQ(blocks.blocks()[1].count(), 0);
}

}  // namespace
}  // namespace pantryd::loadgen
