// Invariant: next_ is the only arrival that was drawn and not yet taken.
#include "loadgen/drive/schedule.h"

#include <algorithm>
#include <cmath>

namespace pantryd::loadgen {

Mix::Mix(const std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) cumulative_.push_back(sum += weight);
  for (double& value : cumulative_) value /= sum;
  cumulative_.back() = 1;
}

std::uint32_t Mix::draw(Random& random) const {
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, random.uniform());
  return static_cast<std::uint32_t>(at - cumulative_.begin());
}

PoissonSchedule::PoissonSchedule(double rate_per_s, std::uint64_t seed, Mix mix)
    : mean_gap_ns_(1e9 / rate_per_s),
      gaps_(mix64(seed, 1U)),
      choices_(mix64(seed, 2U)),
      mix_(std::move(mix)) {
  pop();
  next_.number = 0;
}

void PoissonSchedule::pop() {
  at_ns_ += -std::log1p(-gaps_.uniform()) * mean_gap_ns_;
  next_.intended_ns = static_cast<std::int64_t>(at_ns_);
  next_.operation = mix_.draw(choices_);
  ++next_.number;
}

}  // namespace pantryd::loadgen
