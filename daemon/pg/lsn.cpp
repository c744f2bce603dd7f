// Converts between the two hexadecimal halves of an LSN, its 64 bits, and names of WAL files.
#include "pg/lsn.h"

#include <fmt/format.h>

#include <charconv>

namespace pantryd::pg {
namespace {

std::optional<std::uint32_t> parse_hex32(std::string_view digits) {
  if (digits.empty() || digits.size() > 8) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

constexpr std::uint64_t segments_per_log(std::uint64_t segment_bytes) {
  return 0x1'0000'0000ULL / segment_bytes;
}

}  // namespace

std::optional<Lsn> Lsn::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_hex32(text.substr(0, slash));
  const auto low = parse_hex32(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{(std::uint64_t{*high} << 32U) | *low};
}

std::string Lsn::to_string() const {
  return fmt::format("{:X}/{:X}", bytes >> 32U, bytes & 0xFFFF'FFFFU);
}

std::optional<WalSegment> WalSegment::parse(std::string_view name, std::uint64_t segment_bytes) {
  if (name.size() != 24 || segment_bytes == 0) return std::nullopt;
  for (const char c : name) {
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) return std::nullopt;
  }
  const auto timeline = parse_hex32(name.substr(0, 8));
  const auto log = parse_hex32(name.substr(8, 8));
  const auto segment = parse_hex32(name.substr(16, 8));
  if (!timeline || !log || !segment || *segment >= segments_per_log(segment_bytes)) {
    return std::nullopt;
  }
  return WalSegment{*timeline, *log * segments_per_log(segment_bytes) + *segment};
}

std::string WalSegment::name(std::uint64_t segment_bytes) const {
  const auto per_log = segments_per_log(segment_bytes);
  return fmt::format("{:08X}{:08X}{:08X}", timeline, number / per_log, number % per_log);
}

}  // namespace pantryd::pg
