// The arithmetic of rates that move, and the texts that they are read from.
#include "loadgen/workload/rate_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr const char* kHint =
    "Such as 100:1000:60s for a ramp, 1000:2m for a step; commas between.";

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == at) {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

double rate_of(const std::string& text) {
  char* end = nullptr;
  const double rate = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(rate >= 0 && rate <= kRateMaxPerS)) {
    throw Error(ExitCode::usage,
                fmt::format("\"{}\" is not a rate from 0 to {:.0f}", text, kRateMaxPerS), kHint);
  }
  return rate;
}

/// Share of the mean open hour, hour by hour. The open hours, 7 to 21, add up to their number.
constexpr std::array<double, 24> kDay{0,    0,    0,    0,    0,    0,    0,    0.45,
                                      0.65, 0.75, 0.85, 1.00, 1.20, 1.15, 0.90, 0.90,
                                      1.05, 1.65, 2.00, 1.30, 0.80, 0.35, 0,    0};

}  // namespace

double RateLine::arrivals() const {
  return seconds(length) * (from_per_s + to_per_s) / 2;
}

std::chrono::nanoseconds RatePlan::length() const {
  std::chrono::nanoseconds sum{0};
  for (const auto& line : lines) sum += line.length;
  return sum;
}

double RatePlan::arrivals() const {
  double sum = 0;
  for (const auto& line : lines) sum += line.arrivals();
  return sum;
}

double RatePlan::arrivals_by(double when) const {
  double sum = 0;
  for (const auto& line : lines) {
    const double whole = seconds(line.length);
    if (when < whole) {
      const double rate = line.from_per_s + (line.to_per_s - line.from_per_s) * when / whole;
      return sum + std::max(0.0, when) * (line.from_per_s + rate) / 2;
    }
    sum += line.arrivals();
    when -= whole;
  }
  return sum;
}

double RatePlan::mean_per_s() const {
  const double whole = seconds(length());
  return whole > 0 ? arrivals() / whole : 0;
}

double RatePlan::at(double when) const {
  if (when < 0) return 0;
  for (const auto& line : lines) {
    const double whole = seconds(line.length);
    if (when < whole) return line.from_per_s + (line.to_per_s - line.from_per_s) * when / whole;
    when -= whole;
  }
  return 0;
}

RatePlan parse_rate_plan(const std::string& text) {
  RatePlan plan;
  for (const auto& part : split(text, ',')) {
    const auto fields = split(part, ':');
    if (fields.size() != 2 && fields.size() != 3) {
      throw Error(ExitCode::usage, fmt::format("\"{}\" is neither a ramp nor a step", part), kHint);
    }
    const auto time = parse_duration(fields.back());
    if (!time || time->count() <= 0) {
      throw Error(ExitCode::usage, fmt::format("\"{}\" is not a duration", fields.back()), kHint);
    }
    plan.lines.push_back({*time, rate_of(fields[0]), rate_of(fields[fields.size() - 2])});
  }
  if (plan.lines.size() > kRateLinesMax) {
    throw Error(ExitCode::usage, "too many ramps and steps", kHint);
  }
  if (plan.arrivals() <= 0)
    throw Error(ExitCode::usage, "the rate is 0 during the whole load", kHint);
  return plan;
}

RatePlan day_curve(double rate_per_s, std::chrono::nanoseconds length) {
  RatePlan plan;
  const auto hour = length / static_cast<std::int64_t>(kDay.size());
  for (const double share : kDay) {
    plan.lines.push_back({hour, share * rate_per_s, share * rate_per_s});
  }
  plan.lines.back().length += length - hour * static_cast<std::int64_t>(kDay.size());
  return plan;
}

}  // namespace pantryd::loadgen
