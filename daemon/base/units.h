// Durations, sizes and counts as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd {

/// "250ms", "30s", "5m", "2h", "7d", "1.5s". A bare number is not a duration: the unit is required.
/// nullopt for anything else, for a negative one and for one over 10 years.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "16MB", "1GiB", "512kB", "8192" (bytes). Units are powers of 1024, as PostgreSQL reads them.
[[nodiscard]] std::optional<std::int64_t> parse_size_bytes(std::string_view text);

/// "250ms", "1.5s", "2m 5s", "3h 10m", "2d 4h": two units at most.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds value);

/// A duration without loss, in the largest unit of which it is at least two: "60s", "90s", "2m",
/// "1500ms". parse_duration() reads it back to the same value.
[[nodiscard]] std::string exact_duration(std::chrono::milliseconds value);

/// "812 B", "16.0 MB", "1.5 GB": powers of 1024.
[[nodiscard]] std::string format_bytes(std::int64_t bytes);

/// "1,234,567".
[[nodiscard]] std::string format_count(std::int64_t value);

}  // namespace pantryd
