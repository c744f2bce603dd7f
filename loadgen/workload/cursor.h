// Where an operation is in its steps, repetitions included. A copy is a place to go back to.
#pragma once

#include <cstdint>

#include "loadgen/workload/values.h"

namespace pantryd::loadgen {

/// An operation at work: what a Cursor needs to enter a repetition.
struct Work {
  const Operation& operation;
  const ValueSource& source;
  std::uint64_t seed;  ///< of the operation
  Values& values;
};

class Cursor {
 public:
  /// Enters and leaves repetitions until a step is next, or none is left. Draws the values of a
  /// repetition that it enters. Without effect while a step is next.
  void settle(const Work& work);
  /// No step is left. After settle().
  [[nodiscard]] bool done(const Operation& operation) const {
    return step_ >= operation.steps.size();
  }
  /// Index into Operation::steps. After settle(), and not done().
  [[nodiscard]] std::size_t step() const { return step_; }
  void pass() { ++step_; }
  /// In a repetition that is not the first of its steps.
  [[nodiscard]] bool again() const { return repetition_ > 1; }
  /// Behind the last step of a repetition that captures: what it captures must be known before
  /// settle() enters the next one, which forgets it.
  [[nodiscard]] bool waits_for_captures(const Operation& operation) const;

  /// Goes back to `place`, and makes the values what they were there: what later steps captured is
  /// forgotten, and a repetition that is over is drawn again.
  void go_back(const Cursor& place, const Work& work);

 private:
  void enter(const Work& work, std::int64_t repetition);

  std::size_t step_ = 0;
  std::size_t repeat_ = 0;        ///< index into Operation::repeats: the one at work, or the next
  std::int64_t repetition_ = 0;   ///< from 1; 0: not in a repeat
  std::int64_t repetitions_ = 0;  ///< of the one at work
};

}  // namespace pantryd::loadgen
