// A log-linear histogram of microseconds: fixed memory, relative error below 0.1 %, merged by
// adding counts. Values beyond the range are counted apart, never clamped into the last bucket.
// Source: the bucket layout of HdrHistogram (G. Tene) at three significant digits.
#pragma once

#include <cstdint>
#include <vector>

namespace pantryd::loadgen {

class Histogram {
 public:
  /// 1 us to 134 s (2^27 us).
  static constexpr std::int64_t kLimitUs = std::int64_t{1} << 27;

  Histogram();

  /// Below 0 counts as 0. Constant time, no allocation.
  void record(std::int64_t us);
  void merge(const Histogram& other);
  void clear();

  [[nodiscard]] std::int64_t count() const { return count_; }        ///< with overflow
  [[nodiscard]] std::int64_t overflow() const { return overflow_; }  ///< above kLimitUs
  [[nodiscard]] std::int64_t max_us() const { return max_us_; }      ///< exact
  [[nodiscard]] double mean_us() const;
  /// The value below or at which a share `quantile` (0 to 1) of the samples lies; 0 when empty.
  /// A quantile that falls into the overflow is max_us(), an upper bound.
  [[nodiscard]] std::int64_t quantile_us(double quantile) const;
  /// Samples above `us`, exact to the width of one bucket (those of us's own bucket not counted).
  [[nodiscard]] std::int64_t count_above(std::int64_t us) const;

 private:
  [[nodiscard]] static std::size_t bucket(std::int64_t us);
  [[nodiscard]] static std::int64_t highest_of(std::size_t bucket);

  std::vector<std::uint64_t> counts_;
  std::int64_t count_ = 0;
  std::int64_t overflow_ = 0;
  std::int64_t max_us_ = 0;
  double sum_us_ = 0;
};

}  // namespace pantryd::loadgen
