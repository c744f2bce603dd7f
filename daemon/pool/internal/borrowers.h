// Borrowers that wait for a connection, and how an answer reaches them. A borrower that wakes up
// does not need the pool's mutex, and it is woken after that mutex was released: otherwise each
// hand-over would put the new borrower to sleep a second time, behind the mutex.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <source_location>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "pool/desk.h"
#include "pool/internal/ring.h"

namespace pantryd::pool {

/// Lives on the stack of the thread that waits: it may not be destroyed while an answer is under
/// way.
class Borrower {
 public:
  Borrower(SteadyClock::time_point began, const std::source_location& from)
      : began_(began), from_(from) {}
  Borrower(const Borrower&) = delete;
  Borrower& operator=(const Borrower&) = delete;

  /// True: answered. False: the deadline passed or a stop was requested; an answer may be under
  /// way.
  [[nodiscard]] bool wait(Deadline deadline, const StopFlag* stop);
  /// For an answer that the desk has given out already. No deadline: the thread that answers wakes
  /// this borrower next.
  void wait_for_answer_under_way();
  /// Called by the thread that answers, as the last thing that it does with this borrower.
  void wake();
  /// The borrower waits again, because its connection was dead.
  void start_over() { answered_ = false; }

  [[nodiscard]] SteadyClock::time_point began() const { return began_; }
  [[nodiscard]] const std::source_location& from() const { return from_; }

  /// Written under the pool's mutex before wake(), read after wait().
  Ticket ticket = 0;
  Action answer;
  std::unique_ptr<pg::Connection> connection;  ///< with a grant

 private:
  friend class Answers;
  const SteadyClock::time_point began_;
  const std::source_location& from_;
  Borrower* next_answered_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;  ///< under mutex_ while another thread may wake this borrower
};

/// Waiting borrowers by ticket; under the pool's mutex.
class Borrowers {
 public:
  void add(Borrower& borrower);
  /// Removes and returns the borrower; null: none waits with this ticket.
  [[nodiscard]] Borrower* take(Ticket ticket);

 private:
  Ring<Borrower*> waiting_;  ///< by ascending tickets: answers come for the first one
};

/// Wakes its borrowers in order when it is destroyed: declare it before the lock of the mutex.
class Answers {
 public:
  Answers() = default;
  ~Answers();
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  void add(Borrower& borrower);

 private:
  Borrower* first_ = nullptr;
  Borrower* last_ = nullptr;
};

}  // namespace pantryd::pool
