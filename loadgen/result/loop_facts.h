// What a reactor's thread noted about itself while it drove a load, as evidence that the client was
// not the limit. Filled by drive/loop_watch.h, judged by judge/self_check.h.
#pragma once

#include <cstdint>

#include "loadgen/result/arrival_gaps.h"
#include "loadgen/result/histogram.h"

namespace pantryd::loadgen {

/// Of the measured part. Merges by addition, or by the worst of the threads.
struct LoopFacts {
  std::int64_t threads = 0;
  std::int64_t stalls = 0;
  std::int64_t stalled_us = 0;        ///< together, of all threads
  std::int64_t longest_stall_us = 0;  ///< at work, or woken late: stopped, or without a processor
  double busiest_cpu_share = 0;       ///< of the thread that worked most
  Histogram take_over;  ///< intended start until the loop saw the arrival, every arrival
  ArrivalGaps gaps;
  double clock_step_s = 0;          ///< largest jump of the wall clock against the monotonic one
  double suspended_s = 0;           ///< the machine slept
  double missing_connection_s = 0;  ///< connections below plan, outages apart

  void merge(const LoopFacts& other);
};

}  // namespace pantryd::loadgen
