// A log-linear histogram of microseconds: fixed memory, relative error below 0.1 %, merged by
// adding counts. Values beyond the range are counted apart, never clamped into the last bucket.
// Source: the bucket layout of HdrHistogram (G. Tene) at three significant digits.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace pantryd::loadgen {

class Histogram {
 public:
  /// 1 us to 134 s (2^27 us).
  static constexpr std::int64_t kLimitUs = std::int64_t{1} << 27;

  Histogram();

  Histogram(const Histogram& other);
  Histogram& operator=(const Histogram& other);
  Histogram(Histogram&&) noexcept = default;  ///< what was moved from may only be assigned to
  Histogram& operator=(Histogram&&) noexcept = default;

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
  /// fn(highest value of the bucket in us, count) for every bucket that is not empty, upwards; the
  /// overflow apart. These pairs are all that is needed to add histograms up elsewhere.
  template <typename Fn>
  void for_each(Fn fn) const {
    for (std::size_t i = lowest_; i < end_; ++i) {
      if (counts_[i] != 0) fn(highest_of(i), counts_[i]);
    }
  }

 private:
  struct Free {
    void operator()(std::uint64_t* memory) const { std::free(memory); }
  };
  [[nodiscard]] bool adds_up() const;
  [[nodiscard]] static std::size_t bucket(std::int64_t us);
  [[nodiscard]] static std::int64_t highest_of(std::size_t bucket);

  /// Pages that nothing was ever counted in take no memory.
  std::unique_ptr<std::uint64_t[], Free> counts_;
  std::size_t lowest_;   ///< no bucket below is in use
  std::size_t end_ = 0;  ///< nor this one or any above
  std::int64_t count_ = 0;
  std::int64_t overflow_ = 0;
  std::int64_t max_us_ = 0;
  double sum_us_ = 0;
};

}  // namespace pantryd::loadgen
