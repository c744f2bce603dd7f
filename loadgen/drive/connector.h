// Makes sessions ready away from the reactor's thread: connecting and preparing block.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/stop.h"
#include "loadgen/drive/session.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

class Connector {
 public:
  /// The pool and the workload must outlive it. Its threads begin with the first replace().
  Connector(Pool& pool, const Workload& workload, bool pipelined);
  ~Connector();  ///< interrupts what its threads do and joins them
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// Opens `count` sessions on several threads. Throws the first failure; a statement that the
  /// server refuses to prepare is Error(failed) with its file and line.
  [[nodiscard]] std::vector<std::unique_ptr<Session>> open(int count, const StopFlag* stop);

  /// Closes `old` (null when nothing is left of it; with `cancel` its statement is cancelled
  /// first) and makes a new session for `slot`, again and again with exponential backoff from
  /// 50 ms to 0.5 s until it succeeds. Does not block.
  void replace(int slot, std::unique_ptr<Session> old, bool cancel);

  struct Ready {
    int slot;
    std::unique_ptr<Session> session;
  };
  /// What became ready since the last call. Does not block.
  [[nodiscard]] std::vector<Ready> take();
  /// Readable (eventfd) when take() has something.
  [[nodiscard]] int fd() const { return event_fd_; }

 private:
  struct Job {
    int slot = 0;
    std::unique_ptr<Session> old;
    bool cancel = false;
    SteadyClock::time_point not_before;
    std::chrono::milliseconds backoff{50};
  };
  [[nodiscard]] std::unique_ptr<Session> make(Deadline deadline, const StopFlag* stop);
  void prepare(pg::Connection& connection, Deadline deadline) const;
  [[nodiscard]] std::shared_ptr<const StatementTypes> types(pg::Connection& connection,
                                                            Deadline deadline);
  void work();
  [[nodiscard]] std::optional<Job> next_job();

  Pool& pool_;
  const Workload& workload_;
  const bool pipelined_;
  StopFlag halt_;
  int event_fd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::shared_ptr<const StatementTypes> types_;  ///< as the newest session has them
  std::vector<Ready> ready_;
  std::vector<std::thread> threads_;
};

}  // namespace pantryd::loadgen
