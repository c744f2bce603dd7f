// When a warm-up may end: the service times of the frequent operations no longer fall, and no
// backlog is being worked off. Pure.
//
// For each operation the last seconds are compared with as many before them: once the fewest, from
// 2 to 10, in which both have 30 samples, and once as many as there are, up to 5. Its times fall
// where the median or the mean is more than 5 % and 50 us lower than before, and chance explains
// that in fewer than 1 of 40 cases (a test of two proportions, on the shares above the median of
// both together; Welch's test of two means). The mean shows what the median does not: a few calls
// of each new session that take a hundred times as long. Operations that come too rarely for that
// are not looked at.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/result/service_times.h"

namespace pantryd::loadgen {

/// A figure that is lower than it was before.
struct ServiceFall {
  const char* figure = "";  ///< "median" or "mean"
  double before_us = 0;
  double after_us = 0;
};
/// None where the times do not fall, or where nobody can say.
[[nodiscard]] std::optional<ServiceFall> fall_between(const ServiceSketch& before,
                                                      const ServiceSketch& after);

class Settling {
 public:
  /// `names` of the operations, in the workload's order.
  explicit Settling(std::vector<std::string> names) : names_(std::move(names)) {}

  /// A second of the warm-up: the service times of each operation, and the operations that waited
  /// for a connection at its end (0 in a closed loop).
  void add(std::vector<ServiceSketch> second, std::int64_t queued);
  [[nodiscard]] bool settled() const { return settled_; }
  /// Why it is not settled, or what it was seen by; a sentence.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static constexpr std::size_t kLongest = 10;  ///< seconds that are compared with as many others

  void judge();
  /// False: too few samples yet, but they will come.
  [[nodiscard]] bool look_at(std::size_t operation, std::vector<std::string>& falls,
                             std::size_t& seen) const;
  [[nodiscard]] bool backlog_shrinks() const;
  [[nodiscard]] ServiceSketch sum(std::size_t operation, std::size_t from, std::size_t to) const;

  std::vector<std::string> names_;
  std::deque<std::vector<ServiceSketch>> seconds_;  ///< at most 2 * kLongest
  std::deque<std::int64_t> queued_;
  bool settled_ = false;
  std::string text_;
};

}  // namespace pantryd::loadgen
