// All by the incomplete beta function: P(X >= k) of a binomial X is ibeta(k, n - k + 1, p).
#include "loadgen/judge/shares.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <numeric>

#include "base/assert.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSamplesMax = std::int64_t{1} << 40;

double as_double(std::int64_t count) {
  return static_cast<double>(count);
}

/// The chance of as many hits or more when the true share is `allowed`.
double chance_of_more(const Share& share) {
  if (share.hits <= 0) return 1;
  return boost::math::ibeta(as_double(share.hits), as_double(share.samples - share.hits + 1),
                            share.allowed);
}

/// The chance of as few hits or fewer when the true share is `allowed`.
double chance_of_fewer(const Share& share) {
  if (share.hits >= share.samples) return 1;
  return boost::math::ibetac(as_double(share.hits + 1), as_double(share.samples - share.hits),
                             share.allowed);
}

}  // namespace

std::pair<double, double> share_bounds(std::int64_t hits, std::int64_t samples) {
  if (samples <= 0) return {0, 1};
  PANTRYD_ASSERT(hits >= 0 && hits <= samples);
  const double low =
      hits == 0 ? 0
                : boost::math::ibeta_inv(as_double(hits), as_double(samples - hits + 1), kWrongMax);
  const double high =
      hits == samples
          ? 1
          : boost::math::ibeta_inv(as_double(hits + 1), as_double(samples - hits), 1 - kWrongMax);
  return {low, high};
}

std::vector<Verdict> judge_shares(const std::vector<Share>& shares) {
  std::vector<Verdict> out(shares.size(), Verdict::inconclusive);
  std::vector<double> chances;
  for (const auto& each : shares) {
    PANTRYD_ASSERT(each.hits >= 0 && each.hits <= each.samples && each.allowed > 0);
    chances.push_back(each.samples > 0 ? chance_of_more(each) : 1);
  }
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return chances[a] < chances[b]; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (chances[order[i]] > kWrongMax / static_cast<double>(order.size() - i)) break;
    out[order[i]] = Verdict::fail;
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (out[i] == Verdict::fail || shares[i].samples == 0) continue;
    if (chance_of_fewer(shares[i]) <= kWrongMax) out[i] = Verdict::pass;
  }
  return out;
}

std::int64_t samples_missing(const Share& share) {
  const auto passes = [&](std::int64_t more) {
    const auto samples = share.samples + more;
    return samples > 0 && chance_of_fewer({share.hits, samples, share.allowed}) <= kWrongMax;
  };
  if (passes(0)) return 0;
  std::int64_t high = 1;
  while (high < kSamplesMax && !passes(high)) high *= 2;
  std::int64_t low = high / 2;
  while (low + 1 < high) {
    const auto middle = low + (high - low) / 2;
    (passes(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace pantryd::loadgen
