// Invariants, all under PoolCore::mutex:
//   idle.size() + in_use + connecting <= size_max;
//   a waiter exists only while no connection is idle and no further one may be made;
//   waiters are served in the order in which they came; a waiter is in the queue exactly until it
//   is served, refused, or leaves at its deadline.
#include "pool/pool.h"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>

#include "base/units.h"

namespace pantryd {
namespace {

constexpr auto kReturnBudget = std::chrono::milliseconds(2500);

struct IdleConnection {
  std::unique_ptr<pg::Connection> connection;
  SteadyClock::time_point since;
};

struct Waiter {
  std::condition_variable changed;
  bool may_go = false;  ///< look again: a connection is idle, or one may be made
};

}  // namespace

std::string_view to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::full:
      return "full";
    case Refusal::queue_full:
      return "queue_full";
    case Refusal::server:
      return "server";
    case Refusal::shutting_down:
      return "shutting_down";
    case Refusal::stopped:
      return "stopped";
  }
  return "unknown";
}

class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(pg::Conninfo where, PoolSettings settings)
      : where_(std::move(where)), settings_(std::move(settings)) {}

  Lease acquire(Deadline deadline, const StopFlag* stop) {
    std::unique_lock lock(mutex_);
    ++totals_.acquires_total;
    bool first_look = true;
    for (;;) {
      if (shutting_down_) refuse(Refusal::shutting_down, "the pool shuts down");
      // A newcomer may not overtake those who wait.
      if (!first_look || waiters_.empty()) {
        if (auto lease = take_idle()) return std::move(*lease);
        if (may_connect()) return connect(lock, deadline, stop);
      }
      first_look = false;
      wait_turn(lock, deadline, stop);
    }
  }

  void give_back(std::unique_ptr<pg::Connection> connection) {
    const bool reusable = connection->make_idle(Deadline::in(kReturnBudget));
    std::unique_ptr<pg::Connection> closing;  // closed after the lock is released
    {
      const std::lock_guard lock(mutex_);
      --in_use_;
      if (reusable && !shutting_down_) {
        idle_.push_back({std::move(connection), SteadyClock::now()});
      } else {
        ++totals_.destroys_total;
        closing = std::move(connection);
      }
      wake_first();
    }
  }

  void shut_down() {
    std::deque<IdleConnection> closing;
    const std::lock_guard lock(mutex_);
    shutting_down_ = true;
    closing.swap(idle_);
    totals_.destroys_total += static_cast<std::int64_t>(closing.size());
    for (Waiter* waiter : waiters_) {
      waiter->may_go = true;
      waiter->changed.notify_one();
    }
  }

  PoolStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    return numbers();
  }

  const PoolSettings& settings() const { return settings_; }

 private:
  PoolStatistics numbers() const {
    PoolStatistics out = totals_;
    out.in_use = in_use_;
    out.idle = static_cast<std::int32_t>(idle_.size());
    out.connecting = connecting_;
    out.waiting = static_cast<std::int32_t>(waiters_.size());
    out.size_max = settings_.size_max;
    return out;
  }

  bool may_connect() const {
    return static_cast<std::int32_t>(idle_.size()) + in_use_ + connecting_ < settings_.size_max;
  }

  std::optional<Lease> take_idle() {
    const auto now = SteadyClock::now();
    while (!idle_.empty()) {
      auto newest = std::move(idle_.back());
      idle_.pop_back();
      const bool stale = now - newest.since > settings_.idle_timeout &&
                         static_cast<std::int32_t>(idle_.size()) >= settings_.size_min;
      if (!newest.connection->idle() || stale) {
        ++totals_.destroys_total;
        continue;
      }
      ++in_use_;
      return Lease(shared_from_this(), std::move(newest.connection));
    }
    return std::nullopt;
  }

  Lease connect(std::unique_lock<std::mutex>& lock, Deadline deadline, const StopFlag* stop) {
    ++connecting_;
    lock.unlock();
    std::unique_ptr<pg::Connection> made;
    std::optional<pg::PgError> failure;
    auto options = settings_.connect;
    if (stop != nullptr) options.stop = stop;
    try {
      made = std::make_unique<pg::Connection>(
          pg::Connection::connect(where_, deadline.within(settings_.connect_timeout), options));
    } catch (const pg::PgError& error) {
      failure = error;
    } catch (...) {
      lock.lock();
      --connecting_;
      wake_first();
      throw;
    }
    lock.lock();
    --connecting_;
    if (made) {
      ++in_use_;
      ++totals_.creates_total;
      return {shared_from_this(), std::move(made)};
    }
    wake_first();
    const bool stopped = failure->failure() == pg::Failure::stopped;
    refuse(stopped ? Refusal::stopped : Refusal::server, failure->what(), failure->hint());
  }

  void wait_turn(std::unique_lock<std::mutex>& lock, Deadline deadline, const StopFlag* stop) {
    if (static_cast<std::int32_t>(waiters_.size()) >= settings_.waiters_max) {
      refuse(Refusal::queue_full, "too many callers wait for a connection");
    }
    Waiter self;
    const auto place = waiters_.insert(waiters_.end(), &self);
    while (!self.may_go && !deadline.expired() && (stop == nullptr || !stop->requested())) {
      const auto slice = std::min(deadline.remaining(), std::chrono::milliseconds(100));
      self.changed.wait_for(lock, slice);
    }
    waiters_.erase(place);
    if (self.may_go) return;
    if (stop != nullptr && stop->requested()) refuse(Refusal::stopped, "interrupted");
    ++totals_.timeouts_total;
    refuse(Refusal::full, "no connection became free in time",
           "Raise size_max, or find what holds the connections so long.");
  }

  void wake_first() {
    for (Waiter* waiter : waiters_) {
      if (waiter->may_go) continue;
      waiter->may_go = true;
      waiter->changed.notify_one();
      return;
    }
  }

  [[noreturn]] void refuse(Refusal refusal, const std::string& why, const std::string& hint = {}) {
    const auto now = numbers();
    const auto code = refusal == Refusal::server ? ExitCode::unreachable : ExitCode::failed;
    throw PoolError(
        refusal, code,
        fmt::format("{} (pool: {} in use, {} idle, {} connecting, {} waiting, limit {})", why,
                    now.in_use, now.idle, now.connecting, now.waiting, now.size_max),
        hint);
  }

  const pg::Conninfo where_;
  const PoolSettings settings_;
  mutable std::mutex mutex_;
  std::deque<IdleConnection> idle_;  ///< the newest at the back, taken first
  std::list<Waiter*> waiters_;       ///< the oldest first
  std::int32_t in_use_ = 0;
  std::int32_t connecting_ = 0;
  bool shutting_down_ = false;
  PoolStatistics totals_;
};

Lease::Lease(std::shared_ptr<PoolCore> core, std::unique_ptr<pg::Connection> connection)
    : core_(std::move(core)), connection_(std::move(connection)) {}
Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    reset();
    core_ = std::move(other.core_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Lease::~Lease() {
  reset();
}

void Lease::reset() {
  if (connection_) core_->give_back(std::move(connection_));
  core_.reset();
}

Pool::Pool(pg::Conninfo where, PoolSettings settings)
    : core_(std::make_shared<PoolCore>(std::move(where), std::move(settings))) {}
Pool::~Pool() {
  core_->shut_down();
}
Lease Pool::acquire(Deadline deadline, const StopFlag* stop) {
  return core_->acquire(deadline, stop);
}
Lease Pool::acquire(const StopFlag* stop) {
  return core_->acquire(Deadline::in(core_->settings().acquire_timeout), stop);
}
PoolStatistics Pool::statistics() const {
  return core_->statistics();
}
const PoolSettings& Pool::settings() const {
  return core_->settings();
}
void Pool::shut_down() {
  core_->shut_down();
}

}  // namespace pantryd
