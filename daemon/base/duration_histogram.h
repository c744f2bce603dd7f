// How long things took, in a fixed number of buckets: what Prometheus calls a histogram.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pantryd {

struct DurationHistogram {
  /// Upper bounds in seconds, inclusive; one more bucket holds what is above the last.
  static constexpr std::array kBounds_s{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                        0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                        1.0,    2.5,     5.0,    10.0,  30.0,   60.0};

  /// Of each bucket alone, not cumulative.
  std::array<std::int64_t, kBounds_s.size() + 1> counts{};
  double sum_s = 0;

  void add(std::chrono::nanoseconds took) {
    const double took_s = std::chrono::duration<double>(took).count();
    std::size_t at = 0;
    while (at < kBounds_s.size() && took_s > kBounds_s[at]) ++at;
    ++counts[at];
    sum_s += took_s;
  }

  [[nodiscard]] std::int64_t count() const {
    std::int64_t all = 0;
    for (const auto each : counts) all += each;
    return all;
  }
};

}  // namespace pantryd
