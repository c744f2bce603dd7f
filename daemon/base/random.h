// Random numbers that are a function of a seed and of nothing else: no platform's distribution
// code, no global state, so the same seed gives the same rows and the same schedule everywhere.
// Source: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#pragma once

#include <cstdint>

namespace pantryd {

/// The finaliser of SplitMix64: every input bit changes every output bit with chance one half.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

/// One number from several: the stream of (seed, purpose, index).
template <typename... More>
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t first, More... more) {
  return mix64(first ^ mix64(static_cast<std::uint64_t>(more)...));
}

/// The upper 64 bits of the product.
[[nodiscard]] constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a_low = a & 0xFFFFFFFFU;
  const std::uint64_t a_high = a >> 32U;
  const std::uint64_t b_low = b & 0xFFFFFFFFU;
  const std::uint64_t b_high = b >> 32U;
  const std::uint64_t middle = a_high * b_low + ((a_low * b_low) >> 32U);
  const std::uint64_t other = a_low * b_high + (middle & 0xFFFFFFFFU);
  return a_high * b_high + (middle >> 32U) + (other >> 32U);
}

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    const auto out = mix64(state_);
    state_ += 0x9E3779B97F4A7C15ULL;
    return out;
  }
  /// In [0, 1).
  constexpr double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  /// In [0, bound); 0 for a bound of 0. Its bias is below 2^-32 for every bound used here.
  constexpr std::uint64_t below(std::uint64_t bound) { return multiply_high(next(), bound); }
  /// In [low, high].
  constexpr std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  constexpr bool chance(double probability) { return uniform() < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace pantryd
