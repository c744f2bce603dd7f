// What a reactor's thread notes about itself while it drives, as evidence that it was not the
// limit.
#pragma once

#include <cstdint>

#include "loadgen/result/loop_facts.h"

namespace pantryd::loadgen {

/// A turn of the loop that takes longer, or begins later than it was to, is a stall.
inline constexpr std::int64_t kStallUs = 10'000;

/// Belongs to one thread. Times are nanoseconds since the start of the run.
class LoopWatch {
 public:
  using Nanos = std::int64_t;

  /// The measured part; stalls are counted as far as they lie in it. May be called again when the
  /// run is cut short.
  void measure(Nanos from, Nanos to);
  /// The loop is about to wait for events until `due`.
  void sleeps(Nanos at, Nanos due);
  /// It goes on.
  void woke(Nanos at);
  /// An arrival of the measured part was taken over.
  void took(Nanos intended, Nanos at, double expected);
  /// So many connections are neither there nor lost by an outage.
  void missing(Nanos at, std::int64_t connections);

  [[nodiscard]] LoopFacts& facts() { return facts_; }

 private:
  void stall(Nanos from, Nanos to);
  void look_at_clocks(Nanos at);

  Nanos from_ = 0, to_ = 0;
  Nanos woke_at_ = 0;
  Nanos due_ = -1;  ///< -1: not asleep
  Nanos clocks_at_ = -1;
  double wall_offset_s_ = 0, boot_offset_s_ = 0;
  Nanos missing_at_ = 0;
  LoopFacts facts_;
};

}  // namespace pantryd::loadgen
