// Invariant: [from_, to_) is the measured part, empty until measure(); clocks_at_ is -1 until the
// first look at the clocks in it.
#include "loadgen/drive/loop_watch.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kClocksEvery = 100'000'000;
constexpr double kReadTogetherS = 0.001;

double read_s(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

void LoopWatch::measure(Nanos from, Nanos to) {
  from_ = from;
  to_ = to;
}

void LoopWatch::stall(Nanos from, Nanos to) {
  const auto us = (std::min(to, to_) - std::max(from, from_)) / 1000;
  if (us <= kStallUs) return;
  ++facts_.stalls;
  facts_.stalled_us += us;
  facts_.longest_stall_us = std::max(facts_.longest_stall_us, us);
}

void LoopWatch::sleeps(Nanos at, Nanos due) {
  stall(woke_at_, at);
  due_ = std::max(due, at);
}

void LoopWatch::woke(Nanos at) {
  if (due_ >= 0) stall(due_, at);
  due_ = -1;
  woke_at_ = at;
  if (at >= from_ && at < to_ && at >= clocks_at_ + kClocksEvery) look_at_clocks(at);
}

void LoopWatch::took(Nanos intended, Nanos at, double expected) {
  facts_.take_over.record((at - intended) / 1000);
  facts_.gaps.take(expected);
}

void LoopWatch::missing(Nanos at, std::int64_t connections) {
  const auto since = std::max(missing_at_, from_);
  const auto until = std::min(at, to_);
  if (connections > 0 && until > since) {
    facts_.missing_connection_s +=
        static_cast<double>(until - since) * 1e-9 * static_cast<double>(connections);
  }
  missing_at_ = at;
}

void LoopWatch::look_at_clocks(Nanos at) {
  const double before = read_s(CLOCK_MONOTONIC);
  const double wall = read_s(CLOCK_REALTIME) - before;
  const double boot = read_s(CLOCK_BOOTTIME) - before;
  // What was not read together says nothing: we were pushed off the processor in between.
  if (read_s(CLOCK_MONOTONIC) - before > kReadTogetherS) return;
  if (clocks_at_ >= 0) {
    const double slept = boot - boot_offset_s_;
    // A suspended machine is behind by as much on the wall clock, and that is no step of it.
    const double step = std::abs(wall - wall_offset_s_ - slept);
    facts_.clock_step_s = std::max(facts_.clock_step_s, step);
    facts_.suspended_s += std::max(0.0, slept);
  }
  wall_offset_s_ = wall;
  boot_offset_s_ = boot;
  clocks_at_ = at;
}

}  // namespace pantryd::loadgen
