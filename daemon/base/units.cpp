// Reads and prints durations and sizes; a text that is not a whole quantity gives nothing.
#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace pantryd {
namespace {

/// Splits "12.5ms" into 12.5 and "ms"; nullopt when there is no leading non-negative number.
std::optional<std::pair<double, std::string_view>> split_number(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
  if (end == 0) return std::nullopt;
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, number);
  if (error != std::errc{} || stop != text.data() + end) return std::nullopt;
  std::string_view unit = text.substr(end);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  return std::pair{number, unit};
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts) return std::nullopt;
  const auto [number, unit] = *parts;
  double factor_ms = 0;
  if (unit == "ms") factor_ms = 1;
  if (unit == "s") factor_ms = 1e3;
  if (unit == "m" || unit == "min") factor_ms = 60e3;
  if (unit == "h") factor_ms = 3600e3;
  if (unit == "d") factor_ms = 86'400e3;
  const double value_ms = number * factor_ms;
  constexpr double ten_years_ms = 3650.0 * 86'400e3;
  if (factor_ms == 0 || value_ms > ten_years_ms) return std::nullopt;
  return std::chrono::milliseconds{std::llround(value_ms)};
}

std::optional<std::int64_t> parse_size_bytes(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts) return std::nullopt;
  const auto [number, unit] = *parts;
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "kB" || unit == "KiB" || unit == "K") factor = 1024.0;
  if (unit == "MB" || unit == "MiB" || unit == "M") factor = 1024.0 * 1024;
  if (unit == "GB" || unit == "GiB" || unit == "G") factor = 1024.0 * 1024 * 1024;
  if (unit == "TB" || unit == "TiB" || unit == "T") factor = 1024.0 * 1024 * 1024 * 1024;
  const double bytes = number * factor;
  if (factor == 0 || bytes > 9e18) return std::nullopt;
  return std::llround(bytes);
}

std::string format_duration(std::chrono::milliseconds value) {
  const std::int64_t ms = value.count();
  if (ms < 0) return "-" + format_duration(-value);
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 10'000 && ms % 1000 != 0) return fmt::format("{:.1f}s", static_cast<double>(ms) / 1e3);
  const std::int64_t seconds = ms / 1000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  const auto two = [](std::int64_t major, char major_unit, std::int64_t minor, char minor_unit) {
    if (minor == 0) return fmt::format("{}{}", major, major_unit);
    return fmt::format("{}{} {}{}", major, major_unit, minor, minor_unit);
  };
  if (seconds < 3600) return two(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86'400) return two(seconds / 3600, 'h', seconds % 3600 / 60, 'm');
  return two(seconds / 86'400, 'd', seconds % 86'400 / 3600, 'h');
}

std::string exact_duration(std::chrono::milliseconds value) {
  struct Unit {
    const char* name;
    std::int64_t ms;
  };
  constexpr std::array<Unit, 3> units{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}}};
  const std::int64_t ms = value.count();
  for (const auto& unit : units) {
    if (ms >= 2 * unit.ms && ms % unit.ms == 0) return fmt::format("{}{}", ms / unit.ms, unit.name);
  }
  return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
}

std::string format_bytes(std::int64_t bytes) {
  if (bytes < 0) return "-" + format_bytes(-bytes);
  constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < units.size()) {
    value /= 1024.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string format_count(std::int64_t value) {
  std::string digits = fmt::format("{}", value < 0 ? -value : value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return value < 0 ? "-" + digits : digits;
}

}  // namespace pantryd
