// Layout: values below 2048 have a bucket each; every further power of two has 1024 buckets, so a
// bucket is at most 1/1024 of its value wide, and its middle is within 0.05 % of every value in it.
// Invariants: count_ = sum of counts_ + overflow_; every bucket outside [lowest_, end_) is 0.
#include "loadgen/result/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>

#include "base/assert.h"

namespace pantryd::loadgen {
namespace {

constexpr unsigned kLinearBits = 11;
constexpr std::int64_t kLinear = 1 << kLinearBits;
constexpr std::int64_t kHalf = kLinear / 2;
constexpr unsigned kOctaves = 27 - kLinearBits;
constexpr std::size_t kBuckets = kLinear + kOctaves * kHalf;

}  // namespace

Histogram::Histogram()
    : counts_(static_cast<std::uint64_t*>(std::calloc(kBuckets, sizeof(std::uint64_t)))),
      lowest_(kBuckets) {
  if (!counts_) throw std::bad_alloc();
}

Histogram::Histogram(const Histogram& other) : Histogram() {
  merge(other);
}

Histogram& Histogram::operator=(const Histogram& other) {
  if (this != &other) *this = Histogram(other);
  return *this;
}

std::size_t Histogram::bucket(std::int64_t us) {
  if (us < kLinear) return static_cast<std::size_t>(us);
  const auto value = static_cast<std::uint64_t>(us);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - kLinearBits;
  const auto top = value >> shift;
  PANTRYD_ASSERT(top >= kHalf && top < kLinear);
  return static_cast<std::size_t>(kLinear + (shift - 1) * kHalf) + (top - kHalf);
}

std::int64_t Histogram::highest_of(std::size_t bucket) {
  const auto index = static_cast<std::int64_t>(bucket);
  if (index < kLinear) return index;
  const auto shift = (index - kLinear) / kHalf + 1;
  const auto top = (index - kLinear) % kHalf + kHalf;
  return ((top + 1) << shift) - 1;
}

void Histogram::record(std::int64_t us) {
  us = std::max<std::int64_t>(0, us);
  ++count_;
  sum_us_ += static_cast<double>(us);
  max_us_ = std::max(max_us_, us);
  if (us >= kLimitUs) {
    ++overflow_;
  } else {
    const auto at = bucket(us);
    ++counts_[at];
    lowest_ = std::min(lowest_, at);
    end_ = std::max(end_, at + 1);
  }
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = other.lowest_; i < other.end_; ++i) counts_[i] += other.counts_[i];
  lowest_ = std::min(lowest_, other.lowest_);
  end_ = std::max(end_, other.end_);
  count_ += other.count_;
  overflow_ += other.overflow_;
  max_us_ = std::max(max_us_, other.max_us_);
  sum_us_ += other.sum_us_;
  PANTRYD_ASSERT_DEBUG(adds_up());
}

bool Histogram::adds_up() const {
  std::int64_t sum = overflow_;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] != 0 && (i < lowest_ || i >= end_)) return false;
    sum += static_cast<std::int64_t>(counts_[i]);
  }
  return sum == count_;
}

void Histogram::clear() {
  if (lowest_ < end_) std::fill(&counts_[lowest_], &counts_[end_ - 1] + 1, 0);
  lowest_ = kBuckets;
  end_ = 0;
  count_ = overflow_ = max_us_ = 0;
  sum_us_ = 0;
  PANTRYD_ASSERT_DEBUG(adds_up());
}

double Histogram::mean_us() const {
  return count_ == 0 ? 0 : sum_us_ / static_cast<double>(count_);
}

std::int64_t Histogram::quantile_us(double quantile) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(quantile * static_cast<double>(count_))));
  std::int64_t seen = 0;
  for (std::size_t i = lowest_; i < end_; ++i) {
    seen += static_cast<std::int64_t>(counts_[i]);
    if (seen < wanted) continue;
    // The middle of the bucket, but never above what was really seen.
    const auto high = highest_of(i);
    const auto low = i == 0 ? 0 : highest_of(i - 1) + 1;
    return std::min(max_us_, (low + high) / 2);
  }
  return max_us_;
}

std::int64_t Histogram::count_above(std::int64_t us) const {
  if (us < 0) return count_;
  std::int64_t above = overflow_;
  if (us >= kLimitUs) return above;
  for (std::size_t i = std::max(lowest_, bucket(us) + 1); i < end_; ++i) {
    above += static_cast<std::int64_t>(counts_[i]);
  }
  return above;
}

}  // namespace pantryd::loadgen
