// Invariant: the points are in the order of their times, and none is older than span before the
// newest.
#include "probes/exhaustion/window.h"

#include <algorithm>

namespace pantryd::probes {
namespace {

constexpr std::size_t kPointsMin = 3;
constexpr double kLongestSeconds = 1000.0 * 365 * 86'400;

double seconds_between(SteadyClock::time_point from, SteadyClock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void UseWindow::add(SteadyClock::time_point at, double used) {
  if (options_.fall == Fall::begins_anew && !points_.empty() && used < points_.back().used) {
    points_.clear();
  }
  points_.push_back({at, used});
  while (points_.size() > kPointsMax || at - points_.front().at > options_.span) {
    points_.pop_front();
  }
}

std::optional<double> UseWindow::rate_per_second() const {
  if (points_.size() < kPointsMin) return std::nullopt;
  const auto& first = points_.front();
  if (points_.back().at - first.at < options_.least) return std::nullopt;
  // From the first point, so that large numbers do not eat the differences.
  double time = 0;
  double use = 0;
  for (const auto& point : points_) {
    time += seconds_between(first.at, point.at);
    use += point.used - first.used;
  }
  const auto count = static_cast<double>(points_.size());
  time /= count;
  use /= count;
  double with = 0;
  double of = 0;
  for (const auto& point : points_) {
    const double from_middle = seconds_between(first.at, point.at) - time;
    with += from_middle * (point.used - first.used - use);
    of += from_middle * from_middle;
  }
  if (of <= 0) return std::nullopt;
  return with / of;
}

std::optional<double> seconds_to_exhaustion(std::optional<double> rate_per_second, double room) {
  if (!rate_per_second || *rate_per_second <= 0) return std::nullopt;
  const double seconds = std::max(0.0, room) / *rate_per_second;
  if (seconds > kLongestSeconds) return std::nullopt;
  return seconds;
}

}  // namespace pantryd::probes
