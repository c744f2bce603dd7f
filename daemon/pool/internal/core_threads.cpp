// The pool's own threads: connectors, which make and close connections, and the janitor. They hold
// the mutex except while they connect, close, log or wait.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/units.h"
#include "pool/internal/core.h"

namespace pantryd {
namespace {

constexpr auto kJanitorRest = std::chrono::seconds(1);  // how late idle ones and leaks are seen
constexpr std::int32_t kConnectorsMax = 64;

void log_leak(const Leak& leak) {
  log::warn(
      "the connection that {} borrowed {} ago was not given back (backend {}); last statement: {}",
      leak.borrower, format_duration(leak.held), leak.backend_pid,
      leak.last_statement.empty() ? "none" : leak.last_statement);
}

}  // namespace

void PoolCore::start() {
  const auto connectors = std::clamp(settings_.policy.connects_max, 1, kConnectorsMax);
  for (int i = 0; i < connectors; ++i) threads_.emplace_back([this] { make_and_close(); });
  threads_.emplace_back([this] { keep_house(); });
  const std::lock_guard lock(mutex_);
  carry_out();
}

void PoolCore::end() {
  shut_down();
  halt_.request();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wanted_.notify_all();
  janitor_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  jobs_.clear();
}

void PoolCore::make_and_close() {
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

void PoolCore::make(std::unique_lock<std::mutex>& lock, pool::Id id) {
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

void PoolCore::keep_house() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    const auto now = SteadyClock::now();
    desk_.tick(now);
    carry_out();
    if (const auto leaks = lent_.new_leaks(settings_.leak_after, now, totals_.leaks_total);
        !leaks.empty()) {
      lock.unlock();
      for (const auto& leak : leaks) log_leak(leak);
      lock.lock();
      continue;
    }
    auto until = SteadyClock::now() + kJanitorRest;
    if (const auto next = desk_.next_tick()) until = std::min(until, *next);
    if (!ended_) janitor_.wait_until(lock, until);
  }
}

}  // namespace pantryd
