// When operations arrive and which: fixed by the seed before the run, never moved by what
// happens in it. That is what keeps a slow server from slowing down its own test.
// Source: Schroeder, Wierman, Harchol-Balter, "Open versus closed", NSDI 2006; arXiv:1607.05356.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "loadgen/result/arrivals.h"
#include "loadgen/workload/rate_plan.h"

namespace pantryd::loadgen {

struct Arrival {
  std::int64_t intended_ns = 0;  ///< after the start of the run
  std::uint32_t operation = 0;   ///< index into the workload's operations
  std::uint64_t number = 0;      ///< 0, 1, 2, ...: seeds the operation's own random values
};

/// Draws operation indexes in proportion to their weights.
class Mix {
 public:
  explicit Mix(const std::vector<double>& weights);
  [[nodiscard]] std::uint32_t draw(Random& random) const;

 private:
  std::vector<double> cumulative_;  ///< ends in 1
};

/// The arrivals of a plan, by inversion of its expected number: exact for ramps as well, and the
/// same however many reactors share them. Reactor `part` of `parts` takes those that are its own,
/// drawn by lot, so that its share of a Poisson stream is a Poisson stream.
class Schedule {
 public:
  Schedule(RatePlan plan, Arrivals arrivals, std::uint64_t seed, Mix mix, std::uint32_t part = 0,
           std::uint32_t parts = 1);
  /// The next arrival, which stays the same until pop(). After the last: at the end of time.
  [[nodiscard]] const Arrival& peek() const { return next_; }
  [[nodiscard]] bool done() const { return line_ == plan_.lines.size(); }
  void pop();
  /// The first line of the plan ends at `at`, and what would have followed it follows there. Only
  /// while no arrival from `at` on was popped.
  void end_first_line(std::int64_t at_ns);
  [[nodiscard]] const RatePlan& plan() const { return plan_; }

 private:
  void advance();
  void place();
  [[nodiscard]] bool is_ours() const;

  RatePlan plan_;
  Arrivals arrivals_;
  std::uint64_t seed_;
  std::uint32_t part_, parts_;
  std::size_t line_ = 0;
  std::int64_t line_start_ns_ = 0;
  double line_arrivals_ = 0;  ///< expected in the line
  double expected_ = 0;       ///< of them, up to the next arrival
  std::uint64_t drawn_ = 0;
  Random gaps_;
  Random choices_;
  Mix mix_;
  Arrival next_;
};

}  // namespace pantryd::loadgen
