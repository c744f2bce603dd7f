// The pool that a Pool and its leases share: one mutex around the desk's decisions, and the threads
// that carry them out.
//
// Invariants, all under mutex_:
//   store_ holds the connections that the desk counts as idle, lent_ those that are in use;
//   a decision of the desk is carried out before the mutex is released, but for waking the
//   borrowers that it answers, which comes after;
//   a borrower is in borrowers_ exactly until it is granted, refused, or has left;
//   nothing that can block (connect, check, rollback, close) happens under the mutex.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pool/desk.h"
#include "pool/internal/attempt.h"
#include "pool/internal/borrowers.h"
#include "pool/internal/by_id.h"
#include "pool/internal/lent.h"
#include "pool/pool.h"

namespace pantryd {

class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(Login login, PoolSettings settings);
  ~PoolCore();
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  /// Starts the threads; once, before anybody can ask.
  void start();
  /// Ends the threads; once, by the Pool. Leases may still be out, but nobody can ask any more.
  void end();

  /// Throws PoolError.
  Lease acquire(Deadline deadline, const StopFlag* stop, const std::source_location& from);
  void give_back(pool::Id id, std::unique_ptr<pg::Connection> connection);
  void change(Login login, PoolSettings settings, bool new_login);
  void shut_down();

  PoolStatistics statistics() const;
  std::vector<Leak> leaks() const;
  std::chrono::milliseconds acquire_timeout() const;

 private:
  struct Job {
    pool::Id id = 0;
    std::unique_ptr<pg::Connection> closing;  ///< null: make a connection
  };

  /// Without the mutex, until the borrower is answered. Throws its refusal if that is too late.
  void wait(pool::Borrower& self, Deadline deadline, const StopFlag* stop);

  // Under the mutex:
  /// True: `self` was answered at once; else it is among the borrowers now.
  bool carry_out_for(pool::Borrower& self);
  /// Wakes the answered borrowers before the mutex is released, which background threads may.
  void carry_out();
  /// `own`: the borrower whose thread this is; it needs no waking.
  void carry_out(pool::Answers& answers, pool::Borrower* own = nullptr,
                 bool* own_answered = nullptr);
  void answer(const pool::Action& action, pool::Borrower& borrower);
  void lend(pool::Id id, const pool::Borrower& borrower);
  [[noreturn]] void refuse(pool::Refusal refusal, SteadyClock::time_point began);

  // Threads:
  void make_and_close();  ///< a connector's
  void keep_house();      ///< every timeout of the pool that is not a borrower's own
  /// Makes a connection. Called without the mutex, returns with it.
  void make(std::unique_lock<std::mutex>& lock, pool::Id id);

  StopFlag halt_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable janitor_;
  Login login_;
  PoolSettings settings_;
  std::atomic<pg::Reset> reset_;  ///< settings_.reset, to be read without the mutex
  pool::Desk desk_;
  std::vector<pool::Action> actions_;  ///< of carry_out, here for its memory
  pool::Borrowers borrowers_;
  pool::ById<std::unique_ptr<pg::Connection>> store_;
  pool::Lent lent_;
  std::deque<Job> jobs_;
  pool::Failed last_failed_;
  bool ended_ = false;
  PoolStatistics totals_;
};

}  // namespace pantryd
