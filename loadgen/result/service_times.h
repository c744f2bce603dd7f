// Service times of one kind of operation over the time of a run, in fixed memory: blocks of whole
// seconds, each a coarse histogram. They show whether the times fall while a run lasts.
#pragma once

#include <cstdint>
#include <vector>

#include "loadgen/result/histogram.h"

namespace pantryd::loadgen {

/// A histogram of microseconds in steps of 2.2 %; quantiles are interpolated within a step.
class ServiceSketch {
 public:
  void add(const Histogram& times);
  void merge(const ServiceSketch& other);

  [[nodiscard]] std::int64_t count() const { return count_; }
  /// `quantile` is 0 to 1; 0 when empty.
  [[nodiscard]] double quantile_us(double quantile) const;
  [[nodiscard]] double mean_us() const;       ///< 0 when empty
  [[nodiscard]] double variance_us2() const;  ///< of one sample; 0 with fewer than two
  /// The share of the samples that are above `us`; 0 when empty.
  [[nodiscard]] double share_above(double us) const;

 private:
  std::vector<std::uint32_t> counts_;  ///< empty until the first sample
  std::int64_t count_ = 0;
  double sum_us_ = 0, sum_us2_ = 0;
};

/// The blocks of a measured window, in order.
class ServiceBlocks {
 public:
  static constexpr std::size_t kBlocksMax = 64;

  /// `second` is that of a Window: 0 or above.
  void add(std::int64_t second, const Histogram& times);

  [[nodiscard]] const std::vector<ServiceSketch>& blocks() const { return blocks_; }
  [[nodiscard]] std::int64_t seconds_each() const { return seconds_each_; }

 private:
  std::vector<ServiceSketch> blocks_;
  std::int64_t seconds_each_ = 1;  ///< doubled, and blocks joined in pairs, when there is no room
};

}  // namespace pantryd::loadgen
