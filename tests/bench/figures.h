// What the benches share: a line a figure, and the arithmetic of times that are not stable.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::bench {

/// `name value unit goal ok|short`; without a goal it is `-` and cannot be missed.
inline void figure(std::string_view name, std::string_view value, std::string_view unit,
                   std::string_view goal = "-", bool met = true) {
  fmt::print("{} {} {} {} {}\n", name, value, unit, goal, met ? "ok" : "short");
  std::fflush(stdout);
}

inline void remark(std::string_view text) {
  fmt::print("# {}\n", text);
  std::fflush(stdout);
}

/// Of one figure measured several times.
struct Rounds {
  std::vector<double> values;

  [[nodiscard]] double median() const {
    auto sorted = values;
    std::sort(sorted.begin(), sorted.end());
    return sorted.at(sorted.size() / 2);
  }
  /// The median of the ratios of each round to that of `other` beside it.
  [[nodiscard]] double over(const Rounds& other) const {
    Rounds ratios;
    for (std::size_t i = 0; i < values.size(); ++i) {
      ratios.values.push_back(values[i] / other.values.at(i));
    }
    return ratios.median();
  }
  /// From the smallest to the largest, in percent of the median.
  [[nodiscard]] double noise_percent() const {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return 100.0 * (*high - *low) / median();
  }
};

/// Durations in buckets one thirty-second of a power of two wide (3 %), all memory taken at once:
/// what is recorded while memory is watched may not take any. Thread-safe.
class Durations {
 public:
  void add(std::chrono::nanoseconds duration) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 1));
    buckets_[bucket(ns)].fetch_add(1, std::memory_order_relaxed);
    auto longest = longest_.load(std::memory_order_relaxed);
    while (longest < ns && !longest_.compare_exchange_weak(longest, ns)) {
    }
  }
  [[nodiscard]] std::int64_t count() const {
    std::int64_t sum = 0;
    for (const auto& each : buckets_) sum += each.load();
    return sum;
  }
  [[nodiscard]] double longest_ms() const { return static_cast<double>(longest_.load()) / 1e6; }
  [[nodiscard]] double quantile_ms(double share) const {
    const auto rank = static_cast<std::int64_t>(share * static_cast<double>(count()));
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i].load();
      if (seen > rank) return middle_ns(i) / 1e6;
    }
    return longest_ms();
  }

 private:
  static constexpr std::size_t kParts = 32;

  static std::size_t bucket(std::uint64_t ns) {
    if (ns < kParts) return ns;
    const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - 6;
    return (shift + 1) * kParts + (ns >> shift) - kParts;
  }
  static double middle_ns(std::size_t index) {
    if (index < kParts) return static_cast<double>(index);
    const auto shift = index / kParts - 1;
    return (static_cast<double>(index % kParts + kParts) + 0.5) *
           static_cast<double>(1ULL << shift);
  }

  std::array<std::atomic<std::int64_t>, 60 * kParts> buckets_{};
  std::atomic<std::uint64_t> longest_{0};
};

}  // namespace pantryd::bench
