// The end of the warm-up, and the service times of the seconds after it. The collector's thread
// shows it every second and decides; the reactors read when the measured window begins.
//
// The moment is a whole second of the run that still lies ahead when it is published. A reactor
// reads it after the moment up to which it takes arrivals over, so none of them has taken an
// arrival of the measured window for one of the warm-up.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/deadline.h"
#include "loadgen/drive/settling.h"
#include "loadgen/result/result.h"
#include "loadgen/result/service_times.h"
#include "loadgen/result/windows.h"

namespace pantryd::loadgen {

class WarmUp {
 public:
  explicit WarmUp(const LoadOptions& options);

  /// Before the reactors run; all times of a run count from `start`.
  void start_at(SteadyClock::time_point start) { start_ = start; }
  /// For each second in order, by one thread.
  void see(const WindowPart& second);
  /// Nanoseconds after the start. Thread-safe; moves once at most, to a moment that lies ahead.
  [[nodiscard]] std::int64_t measure_from_ns() const {
    return measure_from_ns_.load(std::memory_order_acquire);
  }

  /// When nobody calls see() any more.
  [[nodiscard]] WarmUpFacts facts() const;
  [[nodiscard]] std::vector<ServiceBlocks>& blocks() { return blocks_; }

 private:
  void decide();

  const bool until_steady_;
  const std::int64_t limit_ns_;
  const bool open_loop_;
  SteadyClock::time_point start_;
  std::atomic<std::int64_t> measure_from_ns_;
  Settling settling_;
  bool decided_ = false;
  std::vector<ServiceBlocks> blocks_;  ///< of the measured window, in the workload's order
};

}  // namespace pantryd::loadgen
