// How many operations a second are to arrive at each moment of a run: lines end to end, so a step,
// a ramp and a day's curve are the same thing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace pantryd::loadgen {

inline constexpr double kRateMaxPerS = 1e6;
inline constexpr std::size_t kRateLinesMax = 1000;

/// The rate moves evenly from one value to the other. Both 0: nothing arrives.
struct RateLine {
  std::chrono::nanoseconds length{0};
  double from_per_s = 0;
  double to_per_s = 0;
  [[nodiscard]] double arrivals() const;  ///< expected in it
};

struct RatePlan {
  std::vector<RateLine> lines;

  [[nodiscard]] bool empty() const { return lines.empty(); }
  [[nodiscard]] std::chrono::nanoseconds length() const;
  [[nodiscard]] double arrivals() const;  ///< expected in the whole
  [[nodiscard]] double arrivals_by(double seconds) const;
  [[nodiscard]] double mean_per_s() const;        ///< 0 for an empty plan
  [[nodiscard]] double at(double seconds) const;  ///< 0 outside
};

/// "100:1000:60s,1000:2m": ramps FROM:TO:TIME and steps RATE:TIME, one after the other. Throws
/// Error(usage).
[[nodiscard]] RatePlan parse_rate_plan(const std::string& text);

/// A shop's day of 24 hours pressed into `length`: closed at night, a small peak at noon, and the
/// peak hour in the evening at twice the mean of the hours in which it is open. The mean over the
/// open hours is `rate_per_s`.
[[nodiscard]] RatePlan day_curve(double rate_per_s, std::chrono::nanoseconds length);

}  // namespace pantryd::loadgen
