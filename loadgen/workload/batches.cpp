// The steps of a repeat are looked at twice: as what follows the steps before it, and as what
// follows its own last step. A third repetition finds what the second one found.
#include "loadgen/workload/batches.h"

#include <algorithm>

namespace pantryd::loadgen {
namespace {

std::size_t place_of(VariableId id) {
  return static_cast<std::size_t>(id);
}

/// What has been sent and not been answered yet.
struct Sent {
  std::vector<bool> captures;  ///< by variable
  bool decides = false;        ///< the last step's row count

  void add(const Sent& other) {
    for (std::size_t i = 0; i < captures.size(); ++i) {
      captures[i] = captures[i] || other.captures[i];
    }
    decides = decides || other.decides;
  }
};

bool needs_answer(const Operation& operation, const Step& step, const Sent& sent) {
  if (sent.decides || (step.when && sent.captures[place_of(step.when->variable)])) return true;
  return std::any_of(step.params.begin(), step.params.end(), [&](VariableId id) {
    const auto& made = operation.variables[place_of(id)].generator;
    return sent.captures[place_of(id)] ||
           (made && made->when && sent.captures[place_of(made->when->variable)]);
  });
}

void mark(Operation& operation, std::size_t from, std::size_t to, bool Step::*flag, Sent& sent) {
  for (std::size_t i = from; i < to; ++i) {
    auto& step = operation.steps[i];
    step.*flag =
        needs_answer(operation, step, sent) || (step.kind == StatementKind::begins && i > 0);
    if (step.*flag) std::fill(sent.captures.begin(), sent.captures.end(), false);
    for (const auto& capture : step.captures) sent.captures[place_of(capture.variable)] = true;
    sent.decides = step.expect_rows.has_value();
  }
}

}  // namespace

void mark_batches(Operation& operation) {
  Sent sent{std::vector<bool>(operation.variables.size(), false), false};
  std::size_t at = 0;
  for (const auto& repeat : operation.repeats) {
    mark(operation, at, repeat.first, &Step::starts_batch, sent);
    const auto skipped = sent;
    mark(operation, repeat.first, repeat.end, &Step::starts_batch, sent);
    const auto once = sent;
    mark(operation, repeat.first, repeat.end, &Step::starts_batch_again, sent);
    sent.add(once);
    if (repeat.least == 0) sent.add(skipped);
    at = repeat.end;
  }
  mark(operation, at, operation.steps.size(), &Step::starts_batch, sent);
}

}  // namespace pantryd::loadgen
