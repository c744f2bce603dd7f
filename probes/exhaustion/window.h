// How fast something is used up, from what was seen of it over the last hour.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/deadline.h"

namespace pantryd::probes {

/// Pure: no clock but the one passed in.
class UseWindow {
 public:
  /// What is used now may be less than it was...
  enum class Fall {
    goes_on,     ///< and that is part of the picture: connections, disk
    begins_anew  ///< because it is counted from another beginning: a sequence that was set back
  };
  struct Options {
    std::chrono::milliseconds span{3'600'000};  ///< older points are forgotten
    std::chrono::milliseconds least{300'000};   ///< no rate from less than that
    Fall fall = Fall::goes_on;
  };
  static constexpr std::size_t kPointsMax = 1000;  ///< more push the oldest out

  explicit UseWindow(const Options& options) : options_(options) {}

  /// `at` must not go back.
  void add(SteadyClock::time_point at, double used);
  /// By least squares, in units of `used`; nothing before there are three points over `least`.
  [[nodiscard]] std::optional<double> rate_per_second() const;

 private:
  struct Point {
    SteadyClock::time_point at;
    double used;
  };
  Options options_;
  std::deque<Point> points_;
};

/// When `room` is used up, should it go on so: nothing where the rate is not known, not above zero,
/// or so small that the answer is more than a thousand years.
[[nodiscard]] std::optional<double> seconds_to_exhaustion(std::optional<double> rate_per_second,
                                                          double room);

}  // namespace pantryd::probes
