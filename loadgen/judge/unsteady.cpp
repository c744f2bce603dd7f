// The two signs of the header, the plainer one first.
#include "loadgen/judge/unsteady.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "loadgen/judge/trend.h"

namespace pantryd::loadgen {
namespace {

constexpr double kLeftMin = 10;
constexpr double kLeftShare = 0.01;

bool lost_connections(const LoadResult& result) {
  const auto& outages = result.totals.outages;
  return std::any_of(outages.begin(), outages.end(), [&](const Outage& each) {
    return each.from_s < result.totals.client.measured_s && (!each.to_s || *each.to_s > 0);
  });
}

/// The operations that waited at the end of the warm-up, where that is what the window began with
/// and they did not become more.
std::optional<std::int64_t> left_by_warm_up(const LoadResult& result) {
  std::optional<std::int64_t> before;
  std::optional<std::int64_t> after;
  for (const auto& window : result.totals.windows) {
    if (window.phase == Phase::warmup) before = window.queued;
    if (window.phase == Phase::measured) after = window.queued;
  }
  if (!before || !after || *after > *before) return std::nullopt;
  const double least = std::max(kLeftMin, kLeftShare * static_cast<double>(result.offered()));
  return static_cast<double>(*before) > least ? before : std::nullopt;
}

std::string trend_text(const std::vector<ServiceTrend>& found) {
  std::string out;
  for (const auto& each : found) {
    out += fmt::format("{}{} ({} from {:.2f} to {:.2f} ms)", out.empty() ? "" : ", ",
                       each.operation, each.figure, each.from_us / 1000, each.to_us / 1000);
  }
  return out;
}

}  // namespace

std::string unsteady_reason(const LoadResult& result) {
  if (result.stopped || lost_connections(result)) return {};
  if (result.options.rate_per_s) {
    if (const auto left = left_by_warm_up(result)) {
      return fmt::format("The window began with {} operations that the warm-up had left waiting.",
                         *left);
    }
  }
  if (!result.options.plan.empty()) return {};  // with the rate the times move, too
  const auto found = falling_services(result);
  if (found.empty()) return {};
  return fmt::format("Service times still fell while they were measured: {}.", trend_text(found));
}

}  // namespace pantryd::loadgen
