// Invariants, see consistent(): a slot is in idle_ exactly while its state is idle; running_ counts
// the slots with an operation, each of which has one batch in flight, waits for its next attempt or
// for its connection; each user of a closed loop thinks, waits or is served. Nothing blocks but
// Poller::wait(): the Connector connects, prepares and cancels. At the end each arrival has exactly
// one outcome.
#include "loadgen/drive/reactor.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/assert.h"
#include "base/file.h"
#include "base/thread_cpu.h"
#include "loadgen/drive/priority.h"
#include "loadgen/drive/warm_up.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kTick = 100'000'000;
constexpr int kEvents = 256;
constexpr std::uint64_t kConnectorTag = Poller::kNoTag - 1;

/// Time that this thread was ready and had no processor (sched(7): /proc/PID/schedstat).
double thread_cpu_wait_s() {
  const auto text = try_read_file("/proc/thread-self/schedstat");
  unsigned long long ran_ns = 0;
  unsigned long long waited_ns = 0;
  if (!text || std::sscanf(text->c_str(), "%llu %llu", &ran_ns, &waited_ns) != 2) return 0;
  return static_cast<double>(waited_ns) * 1e-9;
}

std::vector<double> weights_of(const Workload& workload) {
  std::vector<double> out;
  for (const auto& operation : workload.operations) out.push_back(operation.weight);
  return out;
}

}  // namespace

Reactor::Reactor(const Workload& workload, const ValueSource& values, Connector& connector,
                 std::vector<std::unique_ptr<Session>> sessions, ReactorOptions options,
                 WindowCollector& windows, const StopFlag* stop)
    : workload_(workload),
      values_(values),
      connector_(connector),
      options_(std::move(options)),
      windows_(windows),
      stop_(stop),
      slots_(sessions.size()),
      window_(windows.take()) {
  const Mix mix(weights_of(workload));
  if (options_.plan.empty()) {
    users_.emplace(options_.users, workload.users, options_.seed, mix, options_.part,
                   options_.parts);
  } else {
    schedule_.emplace(options_.plan, options_.arrivals, options_.seed, mix, options_.part,
                      options_.parts);
  }
  if (!poller_.add(connector_.fd(), kConnectorTag) ||
      (stop_ != nullptr && !poller_.add(stop_->fd(), Poller::kNoTag))) {
    throw Error(ExitCode::failed, "cannot watch a descriptor with epoll");
  }
  for (std::size_t i = 0; i < workload.statements.size(); ++i) {
    statement_names_.push_back(statement_name(static_cast<int>(i)));
  }
  totals_.operations.resize(workload.operations.size());
  for (const auto& operation : workload.operations) {
    auto& steps = column_hints_.emplace_back();
    for (const auto& step : operation.steps) steps.emplace_back(step.captures.size(), 0);
  }
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    slots_[i].session = std::move(sessions[i]);
    slots_[i].state = Slot::State::idle;
    idle_.push_back(static_cast<int>(i));
    watch(static_cast<int>(i), false, true);
  }
}

Reactor::~Reactor() = default;

Reactor::Nanos Reactor::now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now() - start_).count();
}

bool Reactor::measured(const Arrival& arrival) const {
  return arrival.intended_ns >= measure_from_ && arrival.intended_ns < arrivals_end_;
}

void Reactor::run() {
  if (options_.raise_priority) priority_raised_ = raise_priority(schedule_.has_value());
  measure_from_ = options_.warmup.count();
  arrivals_end_ = measure_from_ + options_.duration.count();
  clock_.emplace(measure_from_, arrivals_end_);
  window_->phase = clock_->phase();
  window_->second = clock_->second();
  watch_.measure(measure_from_, arrivals_end_);
  const bool exponential = schedule_ && options_.arrivals == Arrivals::poisson;
  watch_.facts().gaps = ArrivalGaps(exponential ? options_.plan.mean_per_s() / options_.parts : 0);
  std::array<epoll_event, kEvents> events{};
  watch_.woke(now());
  for (;;) {
    const auto at = now();
    update_phase(at);
    tick(at);
    watch_.missing(at, missing_connections());
    take_arrivals(std::min(at, arrivals_end_ - 1), at);
    resume_paused(at);
    dispatch();
    // Only here: however late the loop woke, all that was due before the end has been taken over.
    if (over(at)) break;
    const auto before_wait = now();
    const auto until = wake_at(before_wait);
    watch_.sleeps(before_wait, until);
    const int count =
        poller_.wait(start_ + std::chrono::nanoseconds(until), events.data(), kEvents);
    watch_.woke(now());
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 < slots_.size()) {
        handle_event(static_cast<int>(event.data.u64), event.events);
      } else if (event.data.u64 == kConnectorTag) {
        take_connections();
      }
    }
  }
  end_of_run();
}

/// The next moment at which something is to be done, whatever the connections do.
Reactor::Nanos Reactor::wake_at(Nanos at) const {
  Nanos wake = std::min(next_tick_, pauses_.next());
  const auto next = schedule_ ? schedule_->peek().intended_ns : users_->next_ns();
  if (next < arrivals_end_) wake = std::min(wake, next);
  if (at < arrivals_end_) wake = std::min(wake, arrivals_end_);
  return std::max(wake, at);
}

bool Reactor::over(Nanos at) const {
  if (at < arrivals_end_) return false;
  const bool drained = running_ == 0 && queue_.empty();
  // Whoever presses Ctrl-C does not want to wait for the slowest report.
  const auto limit = was_stopped_ ? std::min<Nanos>(options_.drain_limit.count(), kSecond)
                                  : options_.drain_limit.count();
  return drained || at >= arrivals_end_ + limit;
}

/// The warm-up ends sooner than at its limit.
void Reactor::follow_warm_up() {
  if (options_.warm_up == nullptr || measuring_ || measured_done_ || was_stopped_) return;
  const auto from = options_.warm_up->measure_from_ns();
  if (from == measure_from_) return;
  outages_.move_origin(static_cast<double>(measure_from_ - from) * 1e-9);
  measure_from_ = from;
  arrivals_end_ = from + options_.duration.count();
  clock_->measure(measure_from_, arrivals_end_);
  watch_.measure(measure_from_, arrivals_end_);
  if (schedule_) schedule_->end_first_line(from);
}

void Reactor::update_phase(Nanos at) {
  follow_warm_up();
  if (!was_stopped_ && stop_ != nullptr && stop_->requested()) {
    was_stopped_ = true;
    (void)window_at(at);  // what was due before the end belongs to the windows before it
    clock_->cut(at);
    arrivals_end_ = std::min(arrivals_end_, at);
    measure_from_ = std::min(measure_from_, at);
    watch_.measure(measure_from_, arrivals_end_);
    poller_.remove(stop_->fd());
  }
  if (!measuring_ && !measured_done_ && at >= measure_from_) {
    measuring_ = true;
    cpu_at_start_s_ = thread_cpu_s();
    cpu_wait_at_start_s_ = thread_cpu_wait_s();
  }
  if (measuring_ && at >= arrivals_end_) {
    measuring_ = false;
    measured_done_ = true;
    totals_.client.cpu_s = thread_cpu_s() - cpu_at_start_s_;
    totals_.client.busiest_cpu_s = totals_.client.cpu_s;
    totals_.client.cpu_wait_s = thread_cpu_wait_s() - cpu_wait_at_start_s_;
    totals_.client.measured_s = static_cast<double>(arrivals_end_ - measure_from_) * 1e-9;
  }
}

/// Takes over what is due up to and including `due`, seen at `at`.
void Reactor::take_arrivals(Nanos due, Nanos at) {
  if (users_) {
    // What is taken here goes on only after a turn of the loop, so this ends.
    while (users_->next_ns() <= due) enqueue(users_->take());
    return;
  }
  while (schedule_->peek().intended_ns <= due) {
    const auto& arrival = schedule_->peek();
    if (measured(arrival)) {
      const double expected = schedule_->plan().arrivals_by(static_cast<double>(at) * 1e-9);
      watch_.took(arrival.intended_ns, at, expected / options_.parts);
    }
    enqueue(arrival);
    schedule_->pop();
  }
}

void Reactor::enqueue(const Arrival& arrival) {
  const bool counts = measured(arrival);
  auto& operation = totals_.operations[arrival.operation];
  ++window_->operations[arrival.operation].offered;
  if (counts) ++operation.offered;
  const auto in_use = running_ + static_cast<std::int64_t>(queue_.size());
  if (in_use >= options_.users) ++totals_.found_users_busy;
  if (queue_.size() >= kBacklogMax) {
    if (counts) {
      ++operation.not_started;
      // Censored: it would have waited at least as long as the oldest that still waits.
      operation.response.record((arrival.intended_ns - queue_.front().intended_ns) / 1000);
    }
    return;
  }
  queue_.push_back(arrival);
  totals_.users_peak = std::max(totals_.users_peak, std::min(in_use + 1, options_.users));
}

void Reactor::operation_over(Nanos at) {
  if (users_) users_->think(at);
}

void Reactor::dispatch() {
  while (!queue_.empty() && !idle_.empty()) {
    const auto arrival = queue_.front();
    queue_.pop_front();
    // Only what waited for nothing but us is our lag; waiting for a connection is not.
    const bool was_free =
        slots_[static_cast<std::size_t>(idle_.front())].idle_since <= arrival.intended_ns;
    const auto at = now();
    if (schedule_ && was_free && measured(arrival)) {
      totals_.client.start_lag.record((at - arrival.intended_ns) / 1000);
    }
    const int slot = idle_.back();
    idle_.pop_back();
    start(slot, arrival, at);
  }
  totals_.queue_peak = std::max(totals_.queue_peak, static_cast<std::int64_t>(queue_.size()));
}

void Reactor::tick(Nanos at) {
  if (at < next_tick_) return;
  PANTRYD_ASSERT_DEBUG(consistent());
  (void)window_at(at);
  next_tick_ = std::min(at + kTick, clock_->end());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].is_busy() && slots_[i].deadline <= at) time_out(static_cast<int>(i));
  }
}

/// The window that `at` lies in. Those before it are handed over first, with the arrivals that were
/// due in them, even if nobody looked at the clock meanwhile: a count is never in a later second.
WindowPart& Reactor::window_at(Nanos at) {
  while (at >= clock_->end()) {
    follow_warm_up();
    take_arrivals(std::min(clock_->end(), arrivals_end_) - 1, at);
    window_->queued = static_cast<std::int64_t>(queue_.size());
    window_->running = running_;
    window_->connections = static_cast<std::int64_t>(slots_.size()) - outages_.away();
    if (clock_->ends_phase()) {
      windows_.hand_over_phase(window_);
    } else {
      (void)windows_.hand_over(window_);  // else it goes on as the second that begins now
    }
    clock_->advance();
    window_->phase = clock_->phase();
    window_->second = clock_->second();
  }
  return *window_;
}

void Reactor::handle_event(int slot, unsigned events) {
  auto& self = slots_[static_cast<std::size_t>(slot)];
  if (!self.session) return;  // an event from before it was lost
  try {
    if ((events & EPOLLOUT) != 0 && self.wants_write && self.session->flush()) {
      watch(slot, false, false);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(slot);
  } catch (const pg::PgError& error) {
    lose(slot, error.sqlstate(), error.what());
  }
}

void Reactor::take_connections() {
  for (auto& ready : connector_.take()) {
    auto& self = slots_[static_cast<std::size_t>(ready.slot)];
    const bool moving = self.state == Slot::State::moving;
    self.session = std::move(ready.session);
    self.unproven = !moving;
    self.wants_write = false;
    try {
      watch(ready.slot, false, true);
    } catch (const pg::PgError&) {
      connector_.replace(ready.slot, std::move(self.session), false);
      continue;
    }
    if (moving) {
      resume(ready.slot);
      continue;
    }
    outages_.reconnected();
    release(ready.slot, now());
  }
}

void Reactor::end_of_run() {
  const auto at = now();
  PANTRYD_ASSERT(measured_done_);
  (void)window_at(at);
  totals_.drained.seconds = static_cast<double>(at - arrivals_end_) * 1e-9;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& slot = slots_[i];
    if (!slot.is_busy()) continue;
    if (slot.error_code.empty()) {
      slot.error_code = "unfinished";
      slot.error_message = "not done when the run ended";
    }
    count_error(slot);
    // Cancelled, so that the server does not go on with what nobody waits for.
    const bool cancel = slot.awaits_reply();
    if (slot.session) connector_.replace(static_cast<int>(i), std::move(slot.session), cancel);
    slot.state = Slot::State::away;
  }
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const auto& arrival = queue_.at(i);
    if (!measured(arrival)) continue;
    auto& operation = totals_.operations[arrival.operation];
    ++operation.not_started;
    operation.response.record((at - arrival.intended_ns) / 1000);
  }
  queue_.clear();
  for (const auto& operation : totals_.operations) PANTRYD_ASSERT(operation.is_closed());
  window_->connections = static_cast<std::int64_t>(slots_.size()) - outages_.away();
  windows_.hand_over_last(std::move(window_));
  totals_.outages = outages_.take();
  take_watch();
}

bool Reactor::consistent() const {
  std::int64_t running = 0;
  std::size_t idle = 0;
  for (const auto& slot : slots_) {
    const bool busy = slot.is_busy();
    running += busy ? 1 : 0;
    idle += slot.state == Slot::State::idle ? 1U : 0U;
    const bool absent = slot.state == Slot::State::away || slot.state == Slot::State::moving;
    if (absent != (slot.session == nullptr)) return false;
    if (slot.session && slot.session->in_flight() != slot.awaits_reply()) return false;
  }
  for (const int each : idle_) {
    if (slots_[static_cast<std::size_t>(each)].state != Slot::State::idle) return false;
  }
  const auto waiting = static_cast<std::int64_t>(queue_.size());
  if (users_ && users_->thinking() + waiting + running != options_.users) return false;
  return running == running_ && idle == idle_.size();
}

std::int64_t Reactor::missing_connections() const {
  const auto known = static_cast<std::int64_t>(idle_.size()) + running_ + outages_.away();
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(slots_.size()) - known);
}

void Reactor::take_watch() {
  auto& client = totals_.client;
  client.loop = std::move(watch_.facts());
  client.loop.threads = 1;
  if (client.measured_s > 0) client.loop.busiest_cpu_share = client.cpu_s / client.measured_s;
  client.stalls = client.loop.stalls;
  client.longest_stall_us = client.loop.longest_stall_us;
}

}  // namespace pantryd::loadgen
