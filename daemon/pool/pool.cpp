// Invariants, all under PoolCore::mutex_:
//   store_ holds the connections that the desk calls idle, out_ tells who has the others;
//   what the desk decided is carried out before the mutex is released after a call to it;
//   a borrower is in borrowers_ exactly until it is granted, refused, or has left;
//   nothing that can block (connect, check, rollback, close) happens under the mutex.
#include "pool/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "base/units.h"
#include "pool/desk.h"

namespace pantryd {
namespace {

using pool::Action;
using pool::Refusal;

constexpr auto kReturnBudget = std::chrono::milliseconds(2500);
constexpr auto kStopLook = std::chrono::milliseconds(100);
constexpr auto kJanitorRest = std::chrono::milliseconds(100);
constexpr std::int32_t kConnectorsMax = 64;

struct Borrower {
  std::condition_variable changed;
  std::optional<Action> answer;
  std::unique_ptr<pg::Connection> connection;  ///< with a grant
};

struct Job {
  pool::Id id = 0;
  std::unique_ptr<pg::Connection> closing;  ///< null: make a connection
};

struct Out {
  SteadyClock::time_point since;
  std::source_location from;
};

pool::ConnectFailure kind_of(pg::Failure failure) {
  if (failure == pg::Failure::refused) return pool::ConnectFailure::authentication;
  if (failure == pg::Failure::too_many) return pool::ConnectFailure::too_many_clients;
  return pool::ConnectFailure::unreachable;
}

std::string_view file_name(const char* path) {
  const std::string_view text(path);
  const auto slash = text.rfind('/');
  return slash == std::string_view::npos ? text : text.substr(slash + 1);
}

std::uint64_t any_seed() {
  return std::random_device{}();
}

}  // namespace

class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(pg::Conninfo where, PoolSettings settings)
      : where_(std::move(where)),
        settings_(std::move(settings)),
        size_max_(settings_.policy.size_max),
        desk_(settings_.policy, any_seed(), SteadyClock::now()) {}

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
    for (auto& thread : threads_) thread.join();
    jobs_.clear();
  }

  Lease acquire(Deadline deadline, const StopFlag* stop, const std::source_location& from) {
    Borrower self;
    std::unique_lock lock(mutex_);
    ++totals_.acquires_total;
    const auto ticket = desk_.ask(SteadyClock::now());
    borrowers_[ticket] = &self;
    carry_out();
    for (;;) {
      wait(lock, self, deadline, stop);
      if (!self.answer) {
        const auto why = desk_.leave(ticket);
        borrowers_.erase(ticket);
        refuse(stop != nullptr && stop->requested() ? Refusal::stopped
                                                    : why.value_or(Refusal::deadline));
      }
      const auto answer = *std::exchange(self.answer, std::nullopt);
      if (answer.kind == Action::Kind::refuse) refuse(answer.refusal);
      if (answer.check) {
        lock.unlock();
        const bool alive = answers(*self.connection, deadline);
        if (!alive) self.connection.reset();
        lock.lock();
        if (!alive) {
          borrowers_[ticket] = &self;
          desk_.check_failed(ticket, answer.id, SteadyClock::now());
          carry_out();
          continue;
        }
      }
      out_[answer.id] = {SteadyClock::now(), from};
      return {shared_from_this(), answer.id, std::move(self.connection)};
    }
  }

  void give_back(pool::Id id, std::unique_ptr<pg::Connection> connection) {
    const bool reusable = connection->make_idle(Deadline::in(kReturnBudget));
    std::deque<Job> leftover;  // closed after the mutex is released
    const std::lock_guard lock(mutex_);
    out_.erase(id);
    if (reusable) store_[id] = std::move(connection);
    desk_.give_back(id, reusable, SteadyClock::now());
    carry_out();
    if (ended_) leftover.swap(jobs_);
  }

  void change(const pool::Policy& policy) {
    const std::lock_guard lock(mutex_);
    size_max_ = policy.size_max;
    desk_.change(policy, false, SteadyClock::now());
    carry_out();
  }

  void shut_down() {
    const std::lock_guard lock(mutex_);
    desk_.shut_down(SteadyClock::now());
    carry_out();
  }

  PoolStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    auto out = totals_;
    out.now = desk_.numbers();
    out.size_max = size_max_;
    out.breaker = desk_.breaker();
    const auto now = SteadyClock::now();
    for (const auto& [id, lease] : out_) {
      const auto held = std::chrono::duration_cast<std::chrono::milliseconds>(now - lease.since);
      if (held < out.longest_hold) continue;
      out.longest_hold = held;
      out.longest_holder =
          fmt::format("{}:{}", file_name(lease.from.file_name()), lease.from.line());
    }
    return out;
  }

  [[nodiscard]] const PoolSettings& settings() const { return settings_; }

 private:
  static void wait(std::unique_lock<std::mutex>& lock, Borrower& self, Deadline deadline,
                   const StopFlag* stop) {
    while (!self.answer && !deadline.expired() && (stop == nullptr || !stop->requested())) {
      if (stop == nullptr) {
        self.changed.wait_until(lock, deadline.when());
      } else {
        self.changed.wait_until(lock, deadline.within(kStopLook).when());
      }
    }
  }

  bool answers(pg::Connection& connection, Deadline deadline) const {
    try {
      connection.exec("SELECT 1", deadline.within(settings_.check_timeout));
      return connection.idle();
    } catch (const Error&) {
      return false;
    }
  }

  /// Under the mutex.
  void carry_out() {
    for (const auto& action : desk_.actions()) {
      switch (action.kind) {
        case Action::Kind::grant:
        case Action::Kind::refuse:
          answer(action);
          break;
        case Action::Kind::connect:
          jobs_.push_back({action.id, nullptr});
          wanted_.notify_one();
          break;
        case Action::Kind::close:
          ++totals_.closes_total[static_cast<std::size_t>(action.cause)];
          if (auto found = store_.extract(action.id)) {
            jobs_.push_back({action.id, std::move(found.mapped())});
            wanted_.notify_one();
          }
          break;
      }
    }
  }

  void answer(const Action& action) {
    const auto found = borrowers_.find(action.ticket);
    if (found == borrowers_.end()) return;
    auto& borrower = *found->second;
    borrowers_.erase(found);
    borrower.answer = action;
    if (action.kind == Action::Kind::grant) {
      borrower.connection = std::move(store_.extract(action.id).mapped());
    }
    borrower.changed.notify_one();
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
    std::unique_ptr<pg::Connection> made;
    auto failure = pool::ConnectFailure::unreachable;
    std::string message;
    std::string hint;
    auto options = settings_.connect;
    options.stop = &halt_;
    try {
      made = std::make_unique<pg::Connection>(
          pg::Connection::connect(where_, Deadline::in(settings_.connect_timeout), options));
    } catch (const pg::PgError& error) {
      failure = kind_of(error.failure());
      message = error.what();
      hint = error.hint();
    } catch (const std::exception& error) {
      message = error.what();
    }
    lock.lock();
    if (made) {
      ++totals_.creates_total;
      store_[id] = std::move(made);
      desk_.connected(id, SteadyClock::now());
    } else {
      ++totals_.create_failures_total;
      last_message_ = message;
      last_hint_ = hint;
      desk_.connect_failed(id, failure, SteadyClock::now());
    }
    carry_out();
  }

  /// The janitor: every timeout of the pool that is not a borrower's own.
  void keep_house() {
    std::unique_lock lock(mutex_);
    while (!ended_) {
      desk_.tick(SteadyClock::now());
      carry_out();
      auto until = SteadyClock::now() + kJanitorRest;
      if (const auto next = desk_.next_tick()) until = std::min(until, *next);
      janitor_.wait_until(lock, until, [&] { return ended_; });
    }
  }

  [[noreturn]] void refuse(Refusal refusal) {
    ++totals_.refusals_total[static_cast<std::size_t>(refusal)];
    const auto now = desk_.numbers();
    const auto numbers =
        fmt::format("(pool: {} in use, {} idle, {} connecting, {} waiting, limit {})", now.in_use,
                    now.idle, now.connecting, now.waiting, size_max_);
    switch (refusal) {
      case Refusal::server_down:
      case Refusal::authentication:
      case Refusal::too_many_clients:
        throw PoolError(refusal, ExitCode::unreachable,
                        fmt::format("{} {}", last_message_, numbers), last_hint_);
      case Refusal::deadline:
        throw PoolError(refusal, ExitCode::unreachable,
                        fmt::format("no connection was made in time {}", numbers),
                        "The server is slow to accept connections, or the deadline is short.");
      case Refusal::full:
        throw PoolError(refusal, ExitCode::failed,
                        fmt::format("no connection became free in time {}", numbers),
                        "Find what holds the connections so long, or raise size_max.");
      case Refusal::queue_full:
        throw PoolError(
            refusal, ExitCode::failed,
            fmt::format("too many callers wait for a connection {}", numbers),
            "More arrives than the connections can carry: shed load, or raise size_max.");
      case Refusal::shutting_down:
      case Refusal::stopped:
        break;
    }
    throw PoolError(
        refusal, ExitCode::failed,
        fmt::format("{} {}", refusal == Refusal::stopped ? "interrupted" : "the pool shuts down",
                    numbers));
  }

  const pg::Conninfo where_;
  const PoolSettings settings_;
  StopFlag halt_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable janitor_;
  std::int32_t size_max_;
  pool::Desk desk_;
  std::map<pool::Ticket, Borrower*> borrowers_;
  std::map<pool::Id, std::unique_ptr<pg::Connection>> store_;
  std::map<pool::Id, Out> out_;
  std::deque<Job> jobs_;
  std::string last_message_ = "no connection was made yet";
  std::string last_hint_;
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

Pool::Pool(pg::Conninfo where, PoolSettings settings)
    : core_(std::make_shared<PoolCore>(std::move(where), std::move(settings))) {
  core_->start();
}
Pool::~Pool() {
  core_->end();
}
Lease Pool::acquire(Deadline deadline, const StopFlag* stop, std::source_location from) {
  return core_->acquire(deadline, stop, from);
}
Lease Pool::acquire(const StopFlag* stop, std::source_location from) {
  return core_->acquire(Deadline::in(core_->settings().acquire_timeout), stop, from);
}
PoolStatistics Pool::statistics() const {
  return core_->statistics();
}
void Pool::change(const pool::Policy& policy) {
  core_->change(policy);
}
void Pool::shut_down() {
  core_->shut_down();
}

}  // namespace pantryd
