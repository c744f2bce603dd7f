// When operations arrive and which: fixed by the seed before the run, never moved by what
// happens in it. That is what keeps a slow server from slowing down its own test.
// Source: Schroeder, Wierman, Harchol-Balter, "Open versus closed", NSDI 2006; arXiv:1607.05356.
#pragma once

#include <cstdint>
#include <vector>

#include "loadgen/dataset/random.h"

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

/// A Poisson stream: exponential gaps around 1/rate. `rate_per_s` > 0.
class PoissonSchedule {
 public:
  PoissonSchedule(double rate_per_s, std::uint64_t seed, Mix mix);
  /// The next arrival, which stays the same until pop().
  [[nodiscard]] const Arrival& peek() const { return next_; }
  void pop();

 private:
  double mean_gap_ns_;
  double at_ns_ = 0;
  Random gaps_;
  Random choices_;
  Mix mix_;
  Arrival next_;
};

}  // namespace pantryd::loadgen
