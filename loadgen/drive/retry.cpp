// What follows a failed statement: another attempt, a refusal, or an error. Invariants: only steps
// from Slot::redo on are sent again, and all that they did was rolled back before; pauses_ has an
// entry for every slot that is pausing; an operation has at most RetryPolicy::most retries and
// kMovesMax moves.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "loadgen/drive/reactor.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

constexpr int kMovesMax = 3;
constexpr std::uint64_t kPauseStream = 13;

/// Nothing of what was sent from Slot::redo on is left on the server.
bool was_rolled_back(const Slot& slot, const std::vector<Step>& steps) {
  bool in_block = slot.in_block && slot.batch_redo == 0;
  for (auto i = slot.batch_redo; i <= slot.failed_at && i < slot.batch.size(); ++i) {
    const auto kind = steps[slot.batch[i].step()].kind;
    if (kind == StatementKind::begins) in_block = true;
    if (kind == StatementKind::opaque && !in_block) return false;
  }
  return true;
}

}  // namespace

/// After a failure, and the ROLLBACK where a transaction was open: the session is idle.
void Reactor::finish_failed(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  const auto& operation = workload_.operations[self.arrival.operation];
  const bool retryable = pg::sqlstate::is_retryable(self.error_code);
  const bool repeatable = was_rolled_back(self, operation.steps);
  const int most = operation.retries.most;
  // As a driver with a statement cache does: once more, on a connection that prepares again.
  if (self.plan_is_stale && repeatable && self.moves < kMovesMax) return move(slot);
  if (retryable && repeatable && self.retries < most) return pause(slot);
  const bool used_up = retryable && most > 0;
  if (!used_up) {
    const auto& refusals = operation.refusals;
    if (std::find(refusals.begin(), refusals.end(), self.error_code) != refusals.end()) {
      return finish(slot, Ending::refused);
    }
  } else if (repeatable) {
    self.error_message += fmt::format("; its {} retries are used up", most);
    if (measured(self.arrival)) ++totals_.operations[self.arrival.operation].gave_up;
  } else {
    self.error_message += "; it was not tried again, because it may have committed a part";
  }
  count_error(self);
  --running_;
  const auto at = now();
  release(slot, at);
  operation_over(at);
}

void Reactor::count_attempt(const Slot& slot, bool again) {
  if (!measured(slot.arrival)) return;
  auto& operation = totals_.operations[slot.arrival.operation];
  ++operation.attempts;
  if (again) ++operation.retries;
}

/// The connection is kept, as an application does that tries again inside of its request.
void Reactor::pause(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  ++self.retries;
  const auto& policy = workload_.operations[self.arrival.operation].retries;
  const auto seed = mix64(options_.seed, kPauseStream, self.arrival.number, self.retries);
  self.state = Slot::State::pausing;
  self.resume_at = now() + back_off_ns(policy, self.retries, seed);
  self.deadline = std::numeric_limits<Nanos>::max();
  self.error_code.clear();
  self.replies.clear();
  pauses_.add(self.resume_at, slot);
}

/// The statements are prepared again on another connection of the same slot, where it goes on.
void Reactor::move(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  ++self.moves;
  self.plan_is_stale = false;
  self.error_code.clear();
  self.state = Slot::State::moving;
  self.deadline = now() + options_.statement_limit.count();
  self.replies.clear();
  unwatch(self);
  connector_.replace(slot, std::move(self.session), false);
}

void Reactor::resume(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  PANTRYD_ASSERT(self.session && !self.session->in_flight());
  count_attempt(self, true);
  self.state = Slot::State::running;
  self.next.go_back(self.redo, work_of(self));
  send_next(slot);
}

void Reactor::resume_paused(Nanos at) {
  while (pauses_.next() <= at) {
    const auto due = pauses_.next();
    const int slot = pauses_.take();
    const auto& self = slots_[static_cast<std::size_t>(slot)];
    if (self.state == Slot::State::pausing && self.resume_at == due) resume(slot);
  }
}

}  // namespace pantryd::loadgen
