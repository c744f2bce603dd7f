// Invariant: counts_ is empty or has kSteps entries that add up to count_; blocks_ has at most
// kBlocksMax entries of seconds_each_ seconds.
#include "loadgen/result/service_times.h"

#include <algorithm>
#include <cmath>

namespace pantryd::loadgen {
namespace {

constexpr double kStepsPerOctave = 32;
constexpr std::size_t kSteps = 27 * 32;  // to Histogram::kLimitUs

std::size_t step_of(std::int64_t us) {
  if (us <= 1) return 0;
  const auto step = static_cast<std::size_t>(std::log2(static_cast<double>(us)) * kStepsPerOctave);
  return std::min(step, kSteps - 1);
}

double begin_of(std::size_t step) {
  return std::exp2(static_cast<double>(step) / kStepsPerOctave);
}

}  // namespace

void ServiceSketch::add(const Histogram& times) {
  if (times.count() == 0) return;
  counts_.resize(kSteps);
  times.for_each([this](std::int64_t us, std::uint64_t count) {
    counts_[step_of(us)] += static_cast<std::uint32_t>(count);
    count_ += static_cast<std::int64_t>(count);
    const auto value = static_cast<double>(us);
    sum_us_ += value * static_cast<double>(count);
    sum_us2_ += value * value * static_cast<double>(count);
  });
  const auto beyond = static_cast<double>(Histogram::kLimitUs);
  sum_us_ += beyond * static_cast<double>(times.overflow());
  sum_us2_ += beyond * beyond * static_cast<double>(times.overflow());
  counts_.back() += static_cast<std::uint32_t>(times.overflow());
  count_ += times.overflow();
}

void ServiceSketch::merge(const ServiceSketch& other) {
  if (other.count_ == 0) return;
  counts_.resize(kSteps);
  for (std::size_t i = 0; i < kSteps; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  sum_us2_ += other.sum_us2_;
}

double ServiceSketch::mean_us() const {
  return count_ > 0 ? sum_us_ / static_cast<double>(count_) : 0;
}

double ServiceSketch::variance_us2() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  return std::max(0.0, (sum_us2_ - sum_us_ * sum_us_ / n) / (n - 1));
}

double ServiceSketch::quantile_us(double quantile) const {
  if (count_ == 0) return 0;
  const double rank = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_);
  double below = 0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const auto here = static_cast<double>(counts_[i]);
    if (here > 0 && below + here >= rank) {
      return begin_of(i) + (begin_of(i + 1) - begin_of(i)) * (rank - below) / here;
    }
    below += here;
  }
  return begin_of(kSteps);
}

double ServiceSketch::share_above(double us) const {
  double above = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const double from = begin_of(i);
    const double to = begin_of(i + 1);
    const double share = std::clamp((to - us) / (to - from), 0.0, 1.0);
    above += share * static_cast<double>(counts_[i]);
  }
  return count_ > 0 ? above / static_cast<double>(count_) : 0;
}

void ServiceBlocks::add(std::int64_t second, const Histogram& times) {
  auto at = static_cast<std::size_t>(std::max<std::int64_t>(0, second) / seconds_each_);
  while (at >= kBlocksMax) {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (i % 2 == 1) {
        blocks_[i / 2].merge(blocks_[i]);
      } else if (i > 0) {
        blocks_[i / 2] = std::move(blocks_[i]);
      }
    }
    blocks_.resize((blocks_.size() + 1) / 2);
    seconds_each_ *= 2;
    at /= 2;
  }
  if (at >= blocks_.size()) blocks_.resize(at + 1);
  blocks_[at].add(times);
}

}  // namespace pantryd::loadgen
