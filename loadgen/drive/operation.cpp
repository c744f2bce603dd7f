// One operation on one connection: batches of steps, replies, ends. Invariant: a slot that is
// running has exactly one batch in flight; on its way out it goes through release() (the connection
// is good), or lose() or time_out() (it is made again). retry.cpp has what follows a failure.
#include "base/assert.h"
#include "loadgen/drive/reactor.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

constexpr double kNsToS = 1e-9;
/// Far below what one turn of pg::Pipeline reads.
constexpr std::size_t kBatchMax = 128;

/// One more step may be added to what is sent together.
bool joins_batch(const Slot& slot, const Operation& operation, bool pipelined) {
  if (slot.batch.empty()) return true;
  return pipelined && slot.batch.size() < kBatchMax && !slot.next.waits_for_captures(operation);
}

}  // namespace

void Reactor::start(int slot, const Arrival& arrival, Nanos at) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  PANTRYD_ASSERT(self.state == Slot::State::idle && self.session);
  self.state = Slot::State::running;
  self.arrival = arrival;
  self.retries = 0;
  self.moves = 0;
  self.sent_at = at;
  self.next = Cursor();
  self.redo = Cursor();
  self.sent_work = false;
  self.plan_is_stale = false;
  self.error_code.clear();
  self.error_message.clear();
  ++running_;
  if (measured(arrival)) {
    auto& operation = totals_.operations[arrival.operation];
    operation.wait.record((at - arrival.intended_ns) / 1000);
  }
  count_attempt(self, false);
  const auto work = work_of(self);
  values_.draw(work.operation, work.seed, self.values);
  send_next(slot);
}

Work Reactor::work_of(Slot& slot) const {
  return {workload_.operations[slot.arrival.operation], values_,
          mix64(options_.seed, slot.arrival.number, 4U), slot.values};
}

/// Sends the next batch, or ends the operation when no step is left.
void Reactor::send_next(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  const auto work = work_of(self);
  self.batch.clear();
  self.batch_redo = 0;
  self.next.settle(work);
  self.in_block = self.session->in_transaction();
  if (!self.in_block) self.redo = self.next;
  try {
    for (; joins_batch(self, work.operation, options_.pipelined); self.next.pass()) {
      self.next.settle(work);
      if (self.next.done(work.operation)) break;
      const auto& step = work.operation.steps[self.next.step()];
      const bool full = self.next.again() ? step.starts_batch_again : step.starts_batch;
      if (!self.batch.empty() && full) break;
      if (!ValueSource::holds(step.when, self.values)) continue;
      binding_.bind(step.params, self.session->types_of(step.statement), self.values);
      self.session->add(statement_names_[static_cast<std::size_t>(step.statement)].c_str(),
                        binding_);
      self.batch.push_back(self.next);
      self.sent_work = self.sent_work || !step.only_frames;
    }
    if (self.batch.empty()) {
      return finish(slot, self.sent_work ? Ending::completed : Ending::empty);
    }
    send(slot);
  } catch (const pg::PgError& error) {
    lose(slot, error.sqlstate(), error.what());
  }
}

void Reactor::send(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  self.replies.clear();
  self.deadline = now() + options_.statement_limit.count();
  const bool all_sent = self.session->send();
  if (all_sent == self.wants_write) watch(slot, !all_sent, false);
}

void Reactor::watch(int slot, bool writing, bool add) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  const auto tag = static_cast<std::uint64_t>(slot);
  if (add) self.fd = self.session->socket();
  if (!(add ? poller_.add(self.fd, tag, writing) : poller_.change(self.fd, tag, writing))) {
    throw pg::PgError(pg::Failure::lost, std::string(pg::sqlstate::kConnectionFailure),
                      "the connection's socket cannot be watched");
  }
  self.wants_write = writing;
}

/// An event of a socket that nobody reads any more would come again and again.
void Reactor::unwatch(Slot& slot) {
  if (slot.fd >= 0) poller_.remove(slot.fd);
  slot.fd = -1;
}

void Reactor::on_readable(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  bool batch_over = false;
  try {
    batch_over = self.session->receive(self.replies);
  } catch (const pg::PgError& error) {
    // The last words of the server explain more than a closed socket.
    for (const auto& reply : self.replies) {
      if (reply.failed() && !reply.sqlstate().empty()) {
        return lose(slot, reply.sqlstate(), reply.error_message());
      }
    }
    return lose(slot, error.sqlstate(), error.what());
  }
  if (batch_over && self.awaits_reply()) on_batch(slot);
}

void Reactor::on_batch(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  for (const auto& reply : self.replies) {
    if (reply.failed() && pg::sqlstate::ends_session(reply.sqlstate())) {
      return lose(slot, reply.sqlstate(), reply.error_message());
    }
  }
  if (self.state == Slot::State::rolling_back) {
    if (self.session->in_transaction()) return lose(slot, self.error_code, self.error_message);
    return finish_failed(slot);
  }
  if (accept(self)) return send_next(slot);
  if (!self.session->in_transaction()) return finish_failed(slot);
  self.state = Slot::State::rolling_back;
  try {
    self.session->add_rollback();
    send(slot);
  } catch (const pg::PgError& error) {
    lose(slot, error.sqlstate(), error.what());
  }
}

/// Checks the replies of the batch and takes what they capture. False: the error is set.
bool Reactor::accept(Slot& slot) {
  const auto& steps = workload_.operations[slot.arrival.operation].steps;
  for (std::size_t i = 0; i < slot.batch.size(); ++i) {
    if (!accept_one(slot, i)) {
      slot.failed_at = i;
      return false;
    }
    if (steps[slot.batch[i].step()].kind != StatementKind::ends) continue;
    slot.redo = slot.batch[i];
    slot.redo.pass();
    slot.batch_redo = i + 1;
  }
  return true;
}

bool Reactor::accept_one(Slot& slot, std::size_t at) {
  if (at >= slot.replies.size() || slot.replies[at].failed()) {
    const auto* reply = at < slot.replies.size() ? &slot.replies[at] : nullptr;
    slot.error_code = reply != nullptr ? reply->sqlstate() : "";
    slot.plan_is_stale = reply != nullptr && reply->plan_is_stale();
    slot.error_message = reply != nullptr ? reply->error_message() : "no reply";
    if (slot.error_code.empty()) slot.error_code = "protocol";
    return false;
  }
  const auto number = slot.batch[at].step();
  const auto& step = workload_.operations[slot.arrival.operation].steps[number];
  const auto& reply = slot.replies[at];
  if (step.expect_rows) {
    const auto rows = reply.rows();
    if (rows < step.expect_rows->first || rows > step.expect_rows->second) {
      slot.error_code = "rows";
      slot.error_message = "a statement touched " + std::to_string(rows) +
                           " rows, which is not what its step expects: " + step.sql;
      return false;
    }
  }
  auto& hints = column_hints_[slot.arrival.operation][number];
  for (std::size_t k = 0; k < step.captures.size(); ++k) {
    const auto& capture = step.captures[k];
    const char* text = reply.first(capture.column, hints[k]);
    if (text != nullptr) {
      slot.values.set_text(capture.variable, text);
    } else {
      slot.values.set_null(capture.variable);
    }
  }
  return true;
}

void Reactor::count_error(Slot& slot) {
  ++window_at(now()).operations[slot.arrival.operation].errors;
  if (measuring_) ++totals_.client.operations;
  if (!measured(slot.arrival)) {
    ++totals_.warmup_operations;
    return;
  }
  ++totals_.operations[slot.arrival.operation].errors;
  totals_.add_error(slot.error_code, slot.error_message);
}

/// By end, into the window of `at`, and by arrival, into the totals.
void Reactor::count_ending(const Slot& slot, Ending ending, Nanos at) {
  auto& window = window_at(at);
  auto& seen = window.operations[slot.arrival.operation];
  auto& operation = totals_.operations[slot.arrival.operation];
  const bool counts = measured(slot.arrival);
  const auto response_us = (at - slot.arrival.intended_ns) / 1000;
  if (measuring_) ++totals_.client.operations;
  if (ending == Ending::empty) {
    ++seen.empty;
    if (counts) ++operation.empty;
    return;
  }
  seen.response.record(response_us);
  seen.service.record((at - slot.sent_at) / 1000);
  if (ending == Ending::refused) {
    ++seen.refused;
  } else {
    ++seen.completed;
    if (window.phase == Phase::measured) ++operation.done_in_window;
    if (window.phase == Phase::drain) ++totals_.drained.completed;
  }
  if (!counts) {
    ++totals_.warmup_operations;
    return;
  }
  ++(ending == Ending::refused ? operation.refused : operation.completed);
  operation.response.record(response_us);
  operation.service.record((at - slot.sent_at) / 1000);
  const auto& slo = workload_.operations[slot.arrival.operation].slo_p99;
  if (slo && response_us > slo->count()) ++operation.over_slo;
}

void Reactor::finish(int slot, Ending ending) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  PANTRYD_ASSERT(self.is_busy() && !self.session->in_flight());
  const auto at = now();
  count_ending(self, ending, at);
  if (self.unproven && ending != Ending::empty) {
    self.unproven = false;
    outages_.succeeded(static_cast<double>(at - measure_from_) * kNsToS);
  }
  --running_;
  release(slot, at);
  operation_over(at);
}

void Reactor::release(int slot, Nanos at) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  PANTRYD_ASSERT(self.state != Slot::State::idle && self.session);
  self.state = Slot::State::idle;
  self.idle_since = at;
  self.replies.clear();
  idle_.push_back(slot);
}

/// The connection broke. Its operation, if any, failed; its fate on the server is unknown, so it
/// is not tried again.
void Reactor::lose(int slot, std::string code, const std::string& message) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  const bool had_operation = self.state != Slot::State::idle;
  if (code.empty()) code = pg::sqlstate::kConnectionFailure;
  outages_.lost(static_cast<double>(now() - measure_from_) * kNsToS, code + ": " + message,
                had_operation);
  if (had_operation) {
    self.error_code = std::move(code);
    self.error_message = message;
    count_error(self);
    --running_;
  } else {
    std::erase(idle_, slot);
  }
  self.state = Slot::State::away;
  self.replies.clear();
  unwatch(self);
  connector_.replace(slot, std::move(self.session), false);
  if (had_operation) operation_over(now());
}

void Reactor::time_out(int slot) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  const bool moving = self.state == Slot::State::moving;
  self.error_code = "timeout";
  self.error_message = "a statement was not answered within its time limit";
  count_error(self);
  --running_;
  self.state = Slot::State::away;
  unwatch(self);
  // The connector still makes the connection of a slot that was moving.
  if (!moving) connector_.replace(slot, std::move(self.session), true);
  operation_over(now());
}

}  // namespace pantryd::loadgen
