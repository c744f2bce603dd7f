// Adds up what the threads of a run noted.
#include "loadgen/result/loop_facts.h"

#include <algorithm>

namespace pantryd::loadgen {

void LoopFacts::merge(const LoopFacts& other) {
  threads += other.threads;
  stalls += other.stalls;
  stalled_us += other.stalled_us;
  longest_stall_us = std::max(longest_stall_us, other.longest_stall_us);
  busiest_cpu_share = std::max(busiest_cpu_share, other.busiest_cpu_share);
  take_over.merge(other.take_over);
  gaps.merge(other.gaps);
  clock_step_s = std::max(clock_step_s, other.clock_step_s);
  suspended_s = std::max(suspended_s, other.suspended_s);
  missing_connection_s += other.missing_connection_s;
}

}  // namespace pantryd::loadgen
