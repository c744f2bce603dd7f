// Log sequence numbers and WAL segment names.
// Source: PostgreSQL manual, "WAL Internals"; src/include/access/xlog_internal.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd::pg {

/// A byte position in the WAL.
struct Lsn {
  std::uint64_t bytes = 0;

  /// "16/B374D848"; nullopt for anything else.
  [[nodiscard]] static std::optional<Lsn> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const Lsn&) const = default;
};

/// A WAL segment: 24 hexadecimal digits, timeline, log, segment.
struct WalSegment {
  std::uint32_t timeline = 0;
  std::uint64_t number = 0;  ///< counted in segments from LSN 0/0

  /// Exactly 24 upper-case hexadecimal digits; a history, backup or partial name is nullopt.
  [[nodiscard]] static std::optional<WalSegment> parse(std::string_view name,
                                                       std::uint64_t segment_bytes);
  [[nodiscard]] std::string name(std::uint64_t segment_bytes) const;
  auto operator<=>(const WalSegment&) const = default;
};

}  // namespace pantryd::pg
