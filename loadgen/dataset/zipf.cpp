// Invariant of Scatter: factor_ and count_ have no common divisor, so the map is a bijection.
#include "loadgen/dataset/zipf.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pantryd::loadgen {
namespace {

// log(1+x)/x and (exp(x)-1)/x, both 1 at x = 0, where the quotient itself has no value.
double log1p_over(double x) {
  return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2;
}
double expm1_over(double x) {
  return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2;
}

}  // namespace

Zipf::Zipf(std::int64_t count, double exponent)
    : count_(static_cast<double>(std::max<std::int64_t>(1, count))), exponent_(exponent) {
  first_ = integral(1.5) - 1;
  last_ = integral(count_ + 0.5);
  shortcut_ = 2 - integral_inverse(integral(2.5) - density(2));
}

double Zipf::integral(double x) const {
  const double log_x = std::log(x);
  return expm1_over((1 - exponent_) * log_x) * log_x;
}

double Zipf::integral_inverse(double x) const {
  const double t = std::max(-1.0, x * (1 - exponent_));
  return std::exp(log1p_over(t) * x);
}

double Zipf::density(double x) const {
  return std::exp(-exponent_ * std::log(x));
}

std::int64_t Zipf::operator()(Random& random) const {
  // Accepts more than half of the draws for every exponent; the bound only guards the loop.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const double u = last_ + random.uniform() * (first_ - last_);
    const double x = integral_inverse(u);
    const double rank = std::clamp(std::floor(x + 0.5), 1.0, count_);
    if (rank - x <= shortcut_ || u >= integral(rank + 0.5) - density(rank)) {
      return static_cast<std::int64_t>(rank) - 1;
    }
  }
  return 0;
}

Scatter::Scatter(std::int64_t count, std::uint64_t seed)
    : count_(static_cast<std::uint64_t>(std::max<std::int64_t>(1, count))),
      factor_(static_cast<std::uint64_t>(static_cast<double>(count_) * 0.6180339887498949) | 1U),
      offset_(mix64(seed, 0x5CA7U) % count_) {
  while (std::gcd(factor_, count_) != 1) factor_ += 2;
}

std::int64_t Scatter::operator()(std::int64_t index) const {
  // Below 2^31 items the product fits; the limit of a dataset is 10^9 rows a table.
  return static_cast<std::int64_t>(
      (static_cast<std::uint64_t>(index) % count_ * (factor_ % count_) + offset_) % count_);
}

}  // namespace pantryd::loadgen
