// Invariant: repetition_ is above 0 exactly from entering a repeat until settle() leaves it.
#include "loadgen/workload/cursor.h"

namespace pantryd::loadgen {

void Cursor::enter(const Work& work, std::int64_t repetition) {
  repetition_ = repetition;
  step_ = work.operation.repeats[repeat_].first;
  work.source.draw_repetition(work.operation, repeat_, repetition, work.seed, work.values);
}

void Cursor::settle(const Work& work) {
  const auto& repeats = work.operation.repeats;
  // Each turn leaves a repeat or skips one, so this ends.
  for (;;) {
    if (repetition_ > 0) {
      if (step_ < repeats[repeat_].end) return;
      if (repetition_ < repetitions_) return enter(work, repetition_ + 1);
      repetition_ = 0;
      ++repeat_;
    }
    if (repeat_ >= repeats.size() || step_ != repeats[repeat_].first) return;
    repetitions_ = work.source.repetitions(work.operation, repeat_, work.seed);
    if (repetitions_ > 0) return enter(work, 1);
    step_ = repeats[repeat_].end;
    ++repeat_;
  }
}

bool Cursor::waits_for_captures(const Operation& operation) const {
  return repetition_ > 0 && step_ == operation.repeats[repeat_].end &&
         operation.repeats[repeat_].captures;
}

void Cursor::go_back(const Cursor& place, const Work& work) {
  const auto& steps = work.operation.steps;
  for (std::size_t i = place.step_; i < steps.size(); ++i) {
    for (const auto& capture : steps[i].captures) work.values.set_null(capture.variable);
  }
  const bool same = repeat_ == place.repeat_ && repetition_ == place.repetition_;
  *this = place;
  if (same || repetition_ == 0) return;
  work.source.draw_repetition(work.operation, repeat_, repetition_, work.seed, work.values);
}

}  // namespace pantryd::loadgen
