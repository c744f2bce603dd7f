// Invariant: end_ lies in (start of the window, start + 1 s] and is at most from_ in the warm-up
// and at most to_ in the measured window; from_ is planned_from_ until measure() or cut().
#include "loadgen/drive/window_clock.h"

#include <algorithm>

#include "base/assert.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::int64_t whole_seconds_up(std::int64_t ns) {
  return (ns + kSecondNs - 1) / kSecondNs;
}

}  // namespace

WindowClock::WindowClock(Nanos measure_from, Nanos measure_to)
    : from_(measure_from), to_(measure_to), planned_from_(measure_from) {
  PANTRYD_ASSERT(from_ >= 0 && to_ >= from_);
  place(0);
}

void WindowClock::place(Nanos start) {
  if (start < from_) {
    phase_ = Phase::warmup;
    second_ = -whole_seconds_up(planned_from_ - start);
    end_ = std::min(from_, planned_from_ + (second_ + 1) * kSecondNs);
  } else if (start < to_) {
    phase_ = Phase::measured;
    second_ = (start - from_) / kSecondNs;
    end_ = std::min(to_, from_ + (second_ + 1) * kSecondNs);
  } else {
    phase_ = Phase::drain;
    second_ = whole_seconds_up(to_ - from_) + (start - to_) / kSecondNs;
    end_ = start + kSecondNs;
  }
  PANTRYD_ASSERT(end_ > start);
}

bool WindowClock::ends_phase() const {
  return phase_ != Phase::drain && end_ == (phase_ == Phase::warmup ? from_ : to_);
}

void WindowClock::advance() {
  place(end_);
}

void WindowClock::measure(Nanos from, Nanos to) {
  PANTRYD_ASSERT(phase_ == Phase::warmup && from >= end_ && to >= from);
  PANTRYD_ASSERT((from - planned_from_) % kSecondNs == 0);
  from_ = from;
  to_ = to;
}

void WindowClock::cut(Nanos at) {
  if (phase_ == Phase::drain) return;
  PANTRYD_ASSERT(at <= end_);
  from_ = std::min(from_, at);
  to_ = std::min(to_, at);
  end_ = at;
}

}  // namespace pantryd::loadgen
