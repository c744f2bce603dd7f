// Invariants, all under PoolCore::mutex_:
//   store_ holds the connections that the desk calls idle, lent_ tells who has the others;
//   what the desk decided is carried out before the mutex is released after a call to it, but for
//   the waking of those who are answered, which comes after;
//   a borrower is in borrowers_ exactly until it is granted, refused, or has left;
//   nothing that can block (connect, check, rollback, close) happens under the mutex.
#include "pool/pool.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/units.h"
#include "base/wait.h"
#include "pool/desk.h"
#include "pool/internal/attempt.h"
#include "pool/internal/borrowers.h"
#include "pool/internal/by_id.h"
#include "pool/internal/lent.h"

namespace pantryd {
namespace {

using pool::Action;
using pool::Answers;
using pool::Borrower;
using pool::Refusal;

constexpr auto kReturnBudget = std::chrono::milliseconds(2500);
constexpr auto kJanitorRest = std::chrono::seconds(1);  // how late idle ones and leaks are seen
constexpr std::int32_t kConnectorsMax = 64;

struct Job {
  pool::Id id = 0;
  std::unique_ptr<pg::Connection> closing;  ///< null: make a connection
};

/// Takes no time and asks nobody.
bool stirs(const pg::Connection& connection) {
  return wait_ready(connection.socket(), POLLIN, Deadline::in({}), nullptr) == Ready::yes;
}

std::uint64_t any_seed() {
  return std::random_device{}();
}

}  // namespace

class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(Login login, PoolSettings settings)
      : login_(std::move(login)),
        settings_(std::move(settings)),
        reset_(settings_.reset),
        desk_(settings_.policy, any_seed(), SteadyClock::now()) {}

  /// Once, before anybody can ask.
  void start() {
    const auto connectors = std::clamp(settings_.policy.connects_max, 1, kConnectorsMax);
    for (int i = 0; i < connectors; ++i) threads_.emplace_back([this] { work(); });
    threads_.emplace_back([this] { keep_house(); });
    const std::lock_guard lock(mutex_);
    carry_out();
  }

  /// By the pool itself, once: leases may still be out, but nobody can ask any more.
  void end() {
    shut_down();
    halt_.request();
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wanted_.notify_all();
    janitor_.notify_all();
    for (auto& thread : threads_) thread.join();
    jobs_.clear();
  }

  Lease acquire(Deadline deadline, const StopFlag* stop, const std::source_location& from) {
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
      // Bytes while idle are the end of the session, told by the server or by the kernel.
      const bool lent = !self.answer.check;
      if (lent && !stirs(*self.connection)) {
        return {shared_from_this(), id, std::move(self.connection)};
      }
      lock.lock();
      const auto limit = deadline.within(settings_.check_timeout);
      lock.unlock();
      const bool alive = answers(*self.connection, limit);
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

  void give_back(pool::Id id, std::unique_ptr<pg::Connection> connection) {
    const bool reusable = connection->make_idle(Deadline::in(kReturnBudget), reset_.load()) &&
                          connection->role_still_wanted();
    std::deque<Job> leftover;  // closed after the mutex is released
    Answers answers;
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    if (const auto lease = lent_.take(id)) totals_.hold.add(now - lease->since);
    if (reusable) store_.put(id, std::move(connection));
    desk_.give_back(id, reusable, now);
    carry_out(answers);
    if (ended_) leftover.swap(jobs_);
  }

  void change(Login login, PoolSettings settings, bool new_login) {
    Answers answers;
    const std::lock_guard lock(mutex_);
    login_ = std::move(login);
    settings_ = std::move(settings);
    reset_.store(settings_.reset);
    desk_.change(settings_.policy, new_login, SteadyClock::now());
    carry_out(answers);
    janitor_.notify_all();
  }

  void shut_down() {
    Answers answers;
    const std::lock_guard lock(mutex_);
    desk_.shut_down(SteadyClock::now());
    carry_out(answers);
  }

  PoolStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    auto out = totals_;
    out.now = desk_.numbers();
    out.size_max = settings_.policy.size_max;
    out.breaker = desk_.breaker();
    lent_.tell_longest(out, SteadyClock::now());
    return out;
  }

  std::vector<Leak> leaks() const {
    const std::lock_guard lock(mutex_);
    return lent_.leaks(settings_.leak_after, SteadyClock::now());
  }

  std::chrono::milliseconds acquire_timeout() const {
    const std::lock_guard lock(mutex_);
    return settings_.acquire_timeout;
  }

 private:
  /// Without the mutex, until it is answered. Throws the refusal of who gets nothing in time.
  void wait(Borrower& self, Deadline deadline, const StopFlag* stop) {
    if (self.wait(deadline, stop)) return;
    {
      const std::lock_guard lock(mutex_);
      if (const auto why = desk_.leave(self.ticket)) {
        (void)borrowers_.take(self.ticket);
        refuse(stop != nullptr && stop->requested() ? Refusal::stopped : *why, self.began());
      }
    }
    self.wait_for_what_is_on_its_way();
  }

  static bool answers(pg::Connection& connection, Deadline deadline) {
    try {
      connection.exec("SELECT 1", deadline);
      return connection.idle() && connection.role_still_wanted();
    } catch (const Error&) {
      return false;
    }
  }

  /// Under the mutex. True: `self` was answered at once; else it is among the borrowers now.
  bool carry_out_for(Borrower& self) {
    bool answered = false;
    Answers answers;
    carry_out(answers, &self, &answered);
    if (!answered) borrowers_.add(self);
    return answered;
  }

  /// Under the mutex, by who is in no hurry to let go of it.
  void carry_out() {
    Answers answers;
    carry_out(answers);
  }

  /// Under the mutex. `own`: a borrower that calls this itself, and needs no waking.
  void carry_out(Answers& answers, Borrower* own = nullptr, bool* own_answered = nullptr) {
    desk_.take_actions(actions_);
    for (const auto& action : actions_) {
      switch (action.kind) {
        case Action::Kind::grant:
        case Action::Kind::refuse:
          if (own != nullptr && action.ticket == own->ticket) {
            answer(action, *own);
            *own_answered = true;
          } else if (auto* const borrower = borrowers_.take(action.ticket)) {
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

  void answer(const Action& action, Borrower& borrower) {
    borrower.answer = action;
    if (action.kind != Action::Kind::grant) return;
    borrower.connection = std::move(store_.take(action.id).value());
    if (!action.check) lend(action.id, borrower);
  }

  void lend(pool::Id id, const Borrower& borrower) {
    const auto now = SteadyClock::now();
    totals_.acquire_wait.add(now - borrower.began());
    lent_.put(id, {now, borrower.from(), borrower.connection->backend_pid(),
                   borrower.connection->statement_slot()});
  }

  /// A connector's thread.
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wanted_.wait(lock, [&] { return ended_ || !jobs_.empty(); });
      if (ended_) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (job.closing) {
        job.closing.reset();
        lock.lock();
      } else {
        make(lock, job.id);
      }
    }
  }

  /// Called without the mutex, returns with it.
  void make(std::unique_lock<std::mutex>& lock, pool::Id id) {
    lock.lock();
    const auto login = login_;
    const auto limit = settings_.connect_timeout;
    auto options = settings_.connect;
    lock.unlock();
    const auto* const borrowers_stop = std::exchange(options.stop, &halt_);
    pool::Failed failed;
    auto made = pool::try_connect(login, Deadline::in(limit), options, failed);
    if (made) made->stop_on(borrowers_stop);
    lock.lock();
    if (made) {
      ++totals_.creates_total;
      store_.put(id, std::move(made));
      desk_.connected(id, SteadyClock::now());
    } else {
      ++totals_.create_failures_total[static_cast<std::size_t>(failed.kind)];
      last_failed_ = failed;
      desk_.connect_failed(id, failed.kind, SteadyClock::now());
      janitor_.notify_all();  // the next try may be due before its rest ends
    }
    carry_out();
  }

  /// The janitor: every timeout of the pool that is not a borrower's own.
  void keep_house() {
    std::unique_lock lock(mutex_);
    while (!ended_) {
      const auto now = SteadyClock::now();
      desk_.tick(now);
      carry_out();
      if (const auto leaks = lent_.new_leaks(settings_.leak_after, now, totals_.leaks_total);
          !leaks.empty()) {
        lock.unlock();
        for (const auto& leak : leaks) {
          log::warn(
              "the connection that {} borrowed {} ago was not given back (backend {}); last "
              "statement: {}",
              leak.borrower, format_duration(leak.held), leak.backend_pid,
              leak.last_statement.empty() ? "none" : leak.last_statement);
        }
        lock.lock();
        continue;
      }
      auto until = SteadyClock::now() + kJanitorRest;
      if (const auto next = desk_.next_tick()) until = std::min(until, *next);
      if (!ended_) janitor_.wait_until(lock, until);
    }
  }

  /// Under the mutex.
  [[noreturn]] void refuse(Refusal refusal, SteadyClock::time_point began) {
    totals_.acquire_wait.add(SteadyClock::now() - began);
    ++totals_.refusals_total[static_cast<std::size_t>(refusal)];
    throw pool::refusal_error(refusal, desk_.numbers(), settings_.policy.size_max, last_failed_);
  }

  StopFlag halt_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable janitor_;
  Login login_;
  PoolSettings settings_;
  std::atomic<pg::Reset> reset_;  ///< settings_.reset, for who has not the mutex
  pool::Desk desk_;
  std::vector<Action> actions_;  ///< of carry_out, here for its memory
  pool::Borrowers borrowers_;
  pool::ById<std::unique_ptr<pg::Connection>> store_;
  pool::Lent lent_;
  std::deque<Job> jobs_;
  pool::Failed last_failed_;
  bool ended_ = false;
  PoolStatistics totals_;
};

Lease::Lease(std::shared_ptr<PoolCore> core, std::uint64_t id,
             std::unique_ptr<pg::Connection> connection)
    : core_(std::move(core)), id_(id), connection_(std::move(connection)) {}
Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    reset();
    core_ = std::move(other.core_);
    id_ = other.id_;
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Lease::~Lease() {
  reset();
}

void Lease::reset() {
  if (connection_) core_->give_back(id_, std::move(connection_));
  core_.reset();
}

Pool::Pool(Login login, PoolSettings settings)
    : core_(std::make_shared<PoolCore>(std::move(login), std::move(settings))) {
  core_->start();
}
Pool::Pool(const pg::Conninfo& where, PoolSettings settings)
    : Pool([where] { return where; }, std::move(settings)) {}
Pool::~Pool() {
  core_->end();
}
Lease Pool::acquire(Deadline deadline, const StopFlag* stop, std::source_location from) {
  return core_->acquire(deadline, stop, from);
}
Lease Pool::acquire(const StopFlag* stop, std::source_location from) {
  return core_->acquire(Deadline::in(core_->acquire_timeout()), stop, from);
}
PoolStatistics Pool::statistics() const {
  return core_->statistics();
}
std::vector<Leak> Pool::leaks() const {
  return core_->leaks();
}
void Pool::change(Login login, PoolSettings settings, bool new_login) {
  core_->change(std::move(login), std::move(settings), new_login);
}
void Pool::shut_down() {
  core_->shut_down();
}

}  // namespace pantryd
