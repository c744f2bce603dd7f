// One thread that drives a share of the load: one epoll descriptor, one queue of due operations,
// one set of connections. Several reactors share the arrivals by lot, and their totals add up.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/drive/arrival_queue.h"
#include "loadgen/drive/connector.h"
#include "loadgen/drive/loop_watch.h"
#include "loadgen/drive/outages.h"
#include "loadgen/drive/pauses.h"
#include "loadgen/drive/poller.h"
#include "loadgen/drive/reactor_options.h"
#include "loadgen/drive/schedule.h"
#include "loadgen/drive/slot.h"
#include "loadgen/drive/users.h"
#include "loadgen/drive/window_clock.h"
#include "loadgen/result/totals.h"
#include "loadgen/result/windows.h"

namespace pantryd::loadgen {

class Reactor {
 public:
  /// All references must outlive it. `sessions` are ready to use.
  Reactor(const Workload& workload, const ValueSource& values, Connector& connector,
          std::vector<std::unique_ptr<Session>> sessions, ReactorOptions options,
          WindowCollector& windows, const StopFlag* stop);
  ~Reactor();

  /// Before run(): the moment from which all times count, the same for all parts. May be past.
  void start_at(SteadyClock::time_point start) { start_ = start; }
  void run();  ///< warm-up, measured part and drain; returns early after a stop
  [[nodiscard]] RunTotals& totals() { return totals_; }
  [[nodiscard]] bool was_stopped() const { return was_stopped_; }
  [[nodiscard]] bool priority_raised() const { return priority_raised_; }

 private:
  using Nanos = std::int64_t;  ///< since the start of the run
  [[nodiscard]] Nanos now() const;
  void take_arrivals(Nanos due, Nanos at);
  void enqueue(const Arrival& arrival);
  void dispatch();
  void tick(Nanos at);
  [[nodiscard]] WindowPart& window_at(Nanos at);
  void update_phase(Nanos at);
  void follow_warm_up();
  void handle_event(int slot, unsigned events);
  void take_connections();
  [[nodiscard]] Nanos wake_at(Nanos at) const;
  void end_of_run();
  void take_watch();
  [[nodiscard]] bool consistent() const;
  [[nodiscard]] std::int64_t missing_connections() const;
  [[nodiscard]] bool over(Nanos at) const;
  [[nodiscard]] bool measured(const Arrival& arrival) const;

  // operation.cpp: what happens to one operation on one connection
  void start(int slot, const Arrival& arrival, Nanos at);
  [[nodiscard]] Work work_of(Slot& slot) const;
  void send_next(int slot);
  void send(int slot);
  void on_readable(int slot);
  void on_batch(int slot);
  [[nodiscard]] bool accept(Slot& slot);
  [[nodiscard]] bool accept_one(Slot& slot, std::size_t at);
  enum class Ending { completed, refused, empty };  ///< of an operation that did not fail
  void finish(int slot, Ending ending);
  void count_ending(const Slot& slot, Ending ending, Nanos at);
  void release(int slot, Nanos at);
  void lose(int slot, std::string code, const std::string& message);
  void time_out(int slot);
  void watch(int slot, bool writing, bool add);
  void unwatch(Slot& slot);
  void count_error(Slot& slot);
  void operation_over(Nanos at);

  // retry.cpp: what happens to an operation whose statement failed
  void finish_failed(int slot);
  void count_attempt(const Slot& slot, bool again);
  void pause(int slot);
  void move(int slot);
  void resume(int slot);
  void resume_paused(Nanos at);

  const Workload& workload_;
  const ValueSource& values_;
  Connector& connector_;
  const ReactorOptions options_;
  WindowCollector& windows_;
  const StopFlag* stop_;
  std::optional<Schedule> schedule_;  ///< open loop
  std::optional<ClosedUsers> users_;  ///< closed loop
  SteadyClock::time_point start_ = SteadyClock::now();
  Nanos measure_from_ = 0, arrivals_end_ = 0, next_tick_ = 0;
  std::optional<WindowClock> clock_;  ///< from run() on; of window_
  bool measuring_ = false, measured_done_ = false;
  bool was_stopped_ = false, priority_raised_ = false;
  double cpu_at_start_s_ = 0, cpu_wait_at_start_s_ = 0;
  Poller poller_;
  std::vector<Slot> slots_;
  std::vector<int> idle_;  ///< the longest idle first; taken from the back
  ArrivalQueue queue_;
  std::int64_t running_ = 0;
  PauseQueue pauses_;
  Binding binding_;
  std::vector<std::string> statement_names_;
  /// Where each captured column was last, by operation, step and capture.
  std::vector<std::vector<std::vector<int>>> column_hints_;
  std::unique_ptr<WindowPart> window_;
  OutageLog outages_;
  LoopWatch watch_;
  RunTotals totals_;
};

}  // namespace pantryd::loadgen
