// Whether the arrivals came as the plan says: the gaps between them as they were taken over by the
// loop (not as they were intended), against a Poisson stream.
//
// Gaps are looked at over blocks of k arrivals, k so that a block takes 20 ms: below that the wake
// up of a timer is seen, and not the stream. A block of a Poisson stream has an Erlang
// distribution; its distribution function makes of each block a number that is uniform in [0, 1),
// and those are counted in 64 bins. Fixed memory, merged by addition.
// Source: Kolmogorov's test; D'Agostino, Stephens, "Goodness-of-Fit Techniques", 1986, chapter 4.
#pragma once

#include <array>
#include <cstdint>

namespace pantryd::loadgen {

class ArrivalGaps {
 public:
  /// Of a stream of `rate_per_s` arrivals; 0: nothing is counted.
  explicit ArrivalGaps(double rate_per_s = 0);

  /// One arrival was taken over when the plan expected `expected` arrivals since the beginning
  /// (rate times seconds, or the integral of a rate that changes). Never decreases.
  void take(double expected);
  void merge(const ArrivalGaps& other);

  [[nodiscard]] std::int64_t blocks() const { return blocks_; }
  /// The largest distance between what was counted and the uniform distribution, 0 to 1.
  [[nodiscard]] double distance() const;

 private:
  static constexpr std::size_t kBins = 64;

  double block_ = 0;      ///< arrivals in a block
  double in_block_ = -1;  ///< of the current one; -1: its begin is not known yet
  double began_ = 0;
  std::int64_t blocks_ = 0;
  std::array<std::int64_t, kBins> bins_{};
};

/// Of the sum of `shape` exponential variables of mean 1: the chance that it is below `value`.
[[nodiscard]] double erlang_below(double shape, double value);

}  // namespace pantryd::loadgen
