// Keys and codes of the grocery's rows, as the application makes them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"

namespace pantryd::loadgen {

/// Microseconds since 1970-01-01 UTC.
using MicrosUtc = std::int64_t;

/// v4: random, as the application makes them. v7: in the order of created_at (RFC 9562, 5.7).
enum class Keys { v4, v7 };

using Uuid = std::array<unsigned char, 16>;

/// A v4-shaped UUID (RFC 9562) of 122 bits that follow from the two numbers.
[[nodiscard]] Uuid make_uuid(std::uint64_t high, std::uint64_t low);
/// A v7-shaped one: ordered by time, to a quarter of a microsecond, then 62 bits of `low`.
[[nodiscard]] Uuid make_uuid_v7(MicrosUtc time, std::uint64_t low);
/// "8-4-4-4-12" lower-case hexadecimal digits.
[[nodiscard]] std::string to_text(const Uuid& uuid);

/// The thirteenth digit, '0' to '9', of twelve digits. Source: GS1 General Specifications, 7.9.
[[nodiscard]] char ean13_check_digit(std::string_view twelve_digits);

/// An M-Pesa receipt code: ten capitals and digits.
[[nodiscard]] std::string make_mpesa_code(Random& random);

}  // namespace pantryd::loadgen
