// Cuts a run into windows of a second. None spans two phases: the warm-up's first window and the
// last one of the measured window may be shorter, and the drain begins with a window of its own.
// Pure arithmetic. Times are nanoseconds since the start of the run.
#pragma once

#include <cstdint>

#include "loadgen/result/window.h"

namespace pantryd::loadgen {

class WindowClock {
 public:
  using Nanos = std::int64_t;

  /// The warm-up is [0, measure_from), the measured window [measure_from, measure_to). Begins with
  /// the window that holds time 0.
  WindowClock(Nanos measure_from, Nanos measure_to);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] std::int64_t second() const { return second_; }  ///< as in Window
  [[nodiscard]] Nanos end() const { return end_; }               ///< exclusive, of this window
  [[nodiscard]] bool ends_phase() const;
  void advance();  ///< to the window that begins at end()
  /// In the warm-up: the measured window is another one, whole seconds from the one that was
  /// planned. The seconds of the warm-up keep counting towards the planned one.
  void measure(Nanos from, Nanos to);
  /// Ends the measured window at `at`, which lies in the current window. A run that is in its
  /// warm-up measures nothing then.
  void cut(Nanos at);

 private:
  void place(Nanos start);

  Nanos from_, to_;
  const Nanos planned_from_;
  Phase phase_ = Phase::warmup;
  std::int64_t second_ = 0;
  Nanos end_ = 0;
};

}  // namespace pantryd::loadgen
