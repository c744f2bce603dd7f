// The counters are those of the measured window; what was not read is never taken for none.
#include "loadgen/judge/page_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr double kFaultsMin = 20;       // an operation
constexpr double kFaultUs = 1;          // what a minor fault takes, about
constexpr double kFaultShareMin = 0.1;  // of the service time
constexpr double kFaultSlackS = 0.5;    // looks just outside of the window belong to it

/// What a counter added in the measured window; none where no second has it.
std::optional<double> added_in_window(const LoadResult& result, const char* name) {
  std::optional<double> out;
  for (const auto& each : result.evidence.seconds) {
    const bool inside =
        each.from_s >= -kFaultSlackS && each.to_s <= result.totals.client.measured_s + kFaultSlackS;
    const auto found = each.per_s.find(name);
    if (!inside || found == each.per_s.end()) continue;
    out = out.value_or(0) + found->second * (each.to_s - each.from_s);
  }
  return out;
}

std::string setting_of(const LoadResult& result, const char* name) {
  const auto& settings = result.environment.settings;
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&](const ServerSetting& each) { return each.name == name; });
  return found == settings.end() ? std::string() : found->value;
}

/// What is known of huge pages, with which a session maps the same memory in 500 times fewer steps.
std::string huge_pages_text(const LoadResult& result) {
  const auto setting = setting_of(result, "huge_pages");
  const auto status = setting_of(result, "huge_pages_status");
  const auto buffers = setting_of(result, "shared_buffers");
  if (setting.empty()) return "huge_pages could not be read";
  auto out = fmt::format("huge_pages is {}", setting);
  if (!status.empty()) {
    out += fmt::format(" (huge_pages_status {})", status);
  } else if (result.environment.huge_pages.value_or(1) == 0) {
    out += ", and the host has set no huge page aside";
  }
  if (!buffers.empty()) out += fmt::format(", shared_buffers {}", buffers);
  return out;
}

}  // namespace

std::string page_faults_text(const LoadResult& result, bool unsteady) {
  const auto faults = added_in_window(result, "page_faults");
  if (!faults) {
    if (!unsteady) return {};
    return fmt::format("The page faults of the server's processes could not be looked at: {}.",
                       result.environment.server_local ? "/proc does not show them"
                                                       : "the server is not on this host");
  }
  Histogram service;
  for (const auto& each : result.operations) service.merge(each.totals.service);
  const auto operations = static_cast<double>(service.count());
  if (operations == 0) return {};
  const double each = *faults / operations;
  if (each < kFaultsMin || each * kFaultUs < kFaultShareMin * service.mean_us()) return {};
  const double user_ms = added_in_window(result, "session_user_ms").value_or(0);
  const double system_ms = added_in_window(result, "session_system_ms").value_or(0);
  const auto kernel = user_ms + system_ms > 0
                          ? fmt::format(", {:.0f} % of their processor time was the kernel's",
                                        100 * system_ms / (user_ms + system_ms))
                          : std::string();
  return fmt::format(
      "Page faults: the server's sessions mapped memory in, {} pages, {:.0f} an operation{}; {}.",
      format_count(static_cast<std::int64_t>(*faults)), each, kernel, huge_pages_text(result));
}

}  // namespace pantryd::loadgen
