// What a borrower's thread runs: ask, wait, check, give back. Invariants: see the header.
#include "pool/internal/core.h"

#include <poll.h>

#include <random>

#include "base/assert.h"
#include "base/wait.h"

namespace pantryd {
namespace {

using pool::Action;
using pool::Answers;
using pool::Borrower;
using pool::Refusal;

constexpr auto kReturnBudget = std::chrono::milliseconds(2500);

/// Takes no time and asks nobody.
bool stirs(const pg::Connection& connection) {
  return wait_ready(connection.socket(), POLLIN, Deadline::in({}), nullptr) == Ready::yes;
}

/// Whether the session answers a statement in time.
bool responds(pg::Connection& connection, Deadline deadline) {
  try {
    connection.exec("SELECT 1", deadline);
    return connection.idle() && connection.role_still_wanted();
  } catch (const Error&) {
    return false;
  }
}

std::uint64_t any_seed() {
  return std::random_device{}();
}

}  // namespace

PoolCore::PoolCore(Login login, PoolSettings settings)
    : login_(std::move(login)),
      settings_(std::move(settings)),
      reset_(settings_.reset),
      desk_(settings_.policy, any_seed(), SteadyClock::now()) {}

PoolCore::~PoolCore() {
  PANTRYD_ASSERT(threads_.empty());
}

Lease PoolCore::acquire(Deadline deadline, const StopFlag* stop, const std::source_location& from) {
  Borrower self(SteadyClock::now(), from);
  std::unique_lock lock(mutex_);
  ++totals_.acquires_total;
  self.ticket = desk_.ask(self.began());
  bool answered = carry_out_for(self);
  for (;;) {
    lock.unlock();
    if (!answered) wait(self, deadline, stop);
    const auto id = self.answer.id;
    if (self.answer.kind == Action::Kind::refuse) {
      lock.lock();
      refuse(self.answer.refusal, self.began());
    }
    // Bytes on an idle connection are the end of its session, sent by the server or the kernel.
    const bool lent = !self.answer.check;
    if (lent && !stirs(*self.connection)) {
      return {shared_from_this(), id, std::move(self.connection)};
    }
    lock.lock();
    const auto limit = deadline.within(settings_.check_timeout);
    lock.unlock();
    const bool alive = responds(*self.connection, limit);
    if (!alive) self.connection.reset();
    lock.lock();
    if (alive) {
      if (!lent) lend(id, self);
      lock.unlock();
      return {shared_from_this(), id, std::move(self.connection)};
    }
    if (lent) (void)lent_.take(id);
    self.start_over();
    desk_.check_failed(self.ticket, id, SteadyClock::now());
    answered = carry_out_for(self);
  }
}

void PoolCore::give_back(pool::Id id, std::unique_ptr<pg::Connection> connection) {
  const bool reusable = connection->make_idle(Deadline::in(kReturnBudget), reset_.load()) &&
                        connection->role_still_wanted();
  std::deque<Job> leftover;  // closed after the mutex is released
  Answers answers;
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  const auto lease = lent_.take(id);
  PANTRYD_ASSERT(lease.has_value());
  totals_.hold.add(now - lease->since);
  if (reusable) store_.put(id, std::move(connection));
  desk_.give_back(id, reusable, now);
  carry_out(answers);
  if (ended_) leftover.swap(jobs_);
}

void PoolCore::change(Login login, PoolSettings settings, bool new_login) {
  Answers answers;
  const std::lock_guard lock(mutex_);
  login_ = std::move(login);
  settings_ = std::move(settings);
  reset_.store(settings_.reset);
  desk_.change(settings_.policy, new_login, SteadyClock::now());
  carry_out(answers);
  janitor_.notify_all();
}

void PoolCore::shut_down() {
  Answers answers;
  const std::lock_guard lock(mutex_);
  desk_.shut_down(SteadyClock::now());
  carry_out(answers);
}

PoolStatistics PoolCore::statistics() const {
  const std::lock_guard lock(mutex_);
  auto out = totals_;
  out.now = desk_.numbers();
  out.size_max = settings_.policy.size_max;
  out.breaker = desk_.breaker();
  lent_.report_longest(out, SteadyClock::now());
  return out;
}

std::vector<Leak> PoolCore::leaks() const {
  const std::lock_guard lock(mutex_);
  return lent_.leaks(settings_.leak_after, SteadyClock::now());
}

std::chrono::milliseconds PoolCore::acquire_timeout() const {
  const std::lock_guard lock(mutex_);
  return settings_.acquire_timeout;
}

void PoolCore::wait(Borrower& self, Deadline deadline, const StopFlag* stop) {
  if (self.wait(deadline, stop)) return;
  {
    const std::lock_guard lock(mutex_);
    if (const auto why = desk_.leave(self.ticket)) {
      const auto* const left = borrowers_.take(self.ticket);
      PANTRYD_ASSERT(left == &self);
      refuse(stop != nullptr && stop->requested() ? Refusal::stopped : *why, self.began());
    }
  }
  self.wait_for_answer_under_way();
}

bool PoolCore::carry_out_for(Borrower& self) {
  bool answered = false;
  Answers answers;
  carry_out(answers, &self, &answered);
  if (!answered) borrowers_.add(self);
  return answered;
}

void PoolCore::carry_out() {
  Answers answers;
  carry_out(answers);
}

void PoolCore::carry_out(Answers& answers, Borrower* own, bool* own_answered) {
  desk_.take_actions(actions_);
  for (const auto& action : actions_) {
    switch (action.kind) {
      case Action::Kind::grant:
      case Action::Kind::refuse:
        if (own != nullptr && action.ticket == own->ticket) {
          answer(action, *own);
          *own_answered = true;
        } else {
          auto* const borrower = borrowers_.take(action.ticket);
          PANTRYD_ASSERT(borrower != nullptr);
          answer(action, *borrower);
          answers.add(*borrower);
        }
        break;
      case Action::Kind::connect:
        jobs_.push_back({action.id, nullptr});
        wanted_.notify_one();
        break;
      case Action::Kind::close:
        ++totals_.closes_total[static_cast<std::size_t>(action.cause)];
        if (auto found = store_.take(action.id)) {
          jobs_.push_back({action.id, std::move(*found)});
          wanted_.notify_one();
        }
        break;
    }
  }
}

void PoolCore::answer(const Action& action, Borrower& borrower) {
  borrower.answer = action;
  if (action.kind != Action::Kind::grant) return;
  auto connection = store_.take(action.id);
  PANTRYD_ASSERT(connection.has_value() && *connection != nullptr);
  borrower.connection = std::move(*connection);
  if (!action.check) lend(action.id, borrower);
}

void PoolCore::lend(pool::Id id, const Borrower& borrower) {
  const auto now = SteadyClock::now();
  totals_.acquire_wait.add(now - borrower.began());
  lent_.put(id, {now, borrower.from(), borrower.connection->backend_pid(),
                 borrower.connection->statement_slot()});
}

void PoolCore::refuse(Refusal refusal, SteadyClock::time_point began) {
  totals_.acquire_wait.add(SteadyClock::now() - began);
  ++totals_.refusals_total[static_cast<std::size_t>(refusal)];
  throw pool::refusal_error(refusal, desk_.numbers(), settings_.policy.size_max, last_failed_);
}

}  // namespace pantryd
