// Invariants: next_ is the only arrival that was drawn and not yet taken; while !done(), expected_
// is below line_arrivals_ but for the half cell before the first of a grid.
#include "loadgen/drive/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/assert.h"

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

Schedule::Schedule(RatePlan plan, Arrivals arrivals, std::uint64_t seed, Mix mix,
                   std::uint32_t part, std::uint32_t parts)
    : plan_(std::move(plan)),
      arrivals_(arrivals),
      seed_(seed),
      part_(part),
      parts_(parts),
      // The middle of its cell, so that a grid has no arrival at the edges of a second.
      expected_(arrivals == Arrivals::fixed ? -0.5 : 0),
      gaps_(mix64(seed, 1U)),
      choices_(mix64(seed, 2U)),
      mix_(std::move(mix)) {
  if (!done()) line_arrivals_ = plan_.lines[0].arrivals();
  pop();
}

bool Schedule::is_ours() const {
  if (parts_ == 1) return true;
  const auto lot = arrivals_ == Arrivals::fixed ? next_.number : mix64(seed_, next_.number, 5U);
  return lot % parts_ == part_;
}

void Schedule::pop() {
  do {
    advance();
  } while (!done() && !is_ours());
}

void Schedule::advance() {
  expected_ += arrivals_ == Arrivals::fixed ? 1 : -std::log1p(-gaps_.uniform());
  next_.number = drawn_++;
  next_.operation = mix_.draw(choices_);
  place();
}

void Schedule::end_first_line(std::int64_t at_ns) {
  PANTRYD_ASSERT(!plan_.lines.empty());
  for (std::size_t i = 0; i < line_; ++i) expected_ += plan_.lines[i].arrivals();
  plan_.lines[0].length = std::chrono::nanoseconds(at_ns);
  line_ = 0;
  line_start_ns_ = 0;
  line_arrivals_ = plan_.lines[0].arrivals();
  next_.intended_ns = 0;
  place();
}

/// The time at which the plan expects `expected_` arrivals.
void Schedule::place() {
  while (!done() && expected_ >= line_arrivals_) {
    expected_ -= line_arrivals_;
    line_start_ns_ += plan_.lines[line_].length.count();
    ++line_;
    line_arrivals_ = done() ? 0 : plan_.lines[line_].arrivals();
  }
  if (done()) {
    next_.intended_ns = std::numeric_limits<std::int64_t>::max();
    return;
  }
  const auto& line = plan_.lines[line_];
  // from t + slope t^2 / 2 = expected, solved so that a slope of 0 is no special case.
  const double slope =
      (line.to_per_s - line.from_per_s) / std::chrono::duration<double>(line.length).count();
  const double root = std::max(0.0, line.from_per_s * line.from_per_s + 2 * slope * expected_);
  const double after_s = 2 * expected_ / (line.from_per_s + std::sqrt(root));
  PANTRYD_ASSERT(expected_ < line_arrivals_);
  // Not below the last one, whatever rounding does where two lines meet.
  next_.intended_ns =
      std::max(next_.intended_ns, line_start_ns_ + static_cast<std::int64_t>(after_s * 1e9));
}

}  // namespace pantryd::loadgen
