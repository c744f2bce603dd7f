// Invariant: the sum of bins_ is blocks_.
#include "loadgen/result/arrival_gaps.h"

#include <algorithm>
#include <cmath>

namespace pantryd::loadgen {
namespace {

constexpr double kBlockS = 0.02;
constexpr double kExactMax = 64;

}  // namespace

double erlang_below(double shape, double value) {
  if (value <= 0) return 0;
  if (shape > kExactMax) {
    // Wilson and Hilferty: the cube root is close to normal, to 0.1 % at this size.
    const double ninth = 1 / (9 * shape);
    const double z = (std::cbrt(value / shape) - 1 + ninth) / std::sqrt(ninth);
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
  }
  double term = std::exp(-value);
  double above = term;
  for (double i = 1; i < shape; ++i) above += term *= value / i;
  return std::clamp(1 - above, 0.0, 1.0);
}

ArrivalGaps::ArrivalGaps(double rate_per_s)
    : block_(rate_per_s > 0 ? std::ceil(rate_per_s * kBlockS) : 0) {}

void ArrivalGaps::take(double expected) {
  if (block_ <= 0) return;
  if (in_block_ < 0) {
    in_block_ = 0;
    began_ = expected;
    return;
  }
  if (++in_block_ < block_) return;
  const double below = erlang_below(block_, expected - began_);
  ++bins_[std::min(kBins - 1, static_cast<std::size_t>(below * kBins))];
  ++blocks_;
  in_block_ = 0;
  began_ = expected;
}

void ArrivalGaps::merge(const ArrivalGaps& other) {
  for (std::size_t i = 0; i < kBins; ++i) bins_[i] += other.bins_[i];
  blocks_ += other.blocks_;
}

double ArrivalGaps::distance() const {
  double largest = 0;
  double seen = 0;
  for (std::size_t i = 0; i < kBins && blocks_ > 0; ++i) {
    seen += static_cast<double>(bins_[i]) / static_cast<double>(blocks_);
    largest = std::max(largest, std::abs(seen - static_cast<double>(i + 1) / kBins));
  }
  return largest;
}

}  // namespace pantryd::loadgen
