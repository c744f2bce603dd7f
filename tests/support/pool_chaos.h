// For the tests of the pool against networks and servers that fail.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pg/connection.h"
#include "pool/pool.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {

inline constexpr auto kPatience = std::chrono::seconds(60);
/// The bar for service after a fault.
inline constexpr auto kBackWithin = std::chrono::milliseconds(1000);

inline std::chrono::milliseconds since(SteadyClock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - then);
}

inline Deadline patience() {
  return Deadline::in(kPatience);
}

/// A login of the shared sandbox whose password we know; `port` may be a gate's.
inline pg::Conninfo till_at(std::uint16_t port) {
  static const bool made = [] {
    auto admin = pg::Connection::connect(shared_sandbox().primary(), patience());
    admin.exec("CREATE ROLE till LOGIN PASSWORD 'till' IN ROLE pg_read_all_stats", patience());
    return true;
  }();
  EXPECT_TRUE(made);
  return shared_sandbox()
      .primary()
      .with("passfile", "")
      .with("user", "till")
      .with("password", "till")
      .with("port", std::to_string(port));
}

/// What a borrower got: "served", a refusal, or what became of its statement.
struct Outcome {
  std::string what;
  std::string message;
  std::chrono::milliseconds took{0};
  [[nodiscard]] bool served() const { return what == "served"; }
};

/// Borrows, and lets a statement prove the connection; either has `limit`.
inline Outcome borrow_once(Pool& pool, std::chrono::milliseconds limit,
                           const std::string& sql = "SELECT 1") {
  Outcome out;
  const auto began = SteadyClock::now();
  try {
    const auto lease = pool.acquire(Deadline::in(limit));
    lease->exec(sql, Deadline::in(limit));
    out.what = "served";
  } catch (const PoolError& error) {
    out.what = pool::to_string(error.refusal());
    out.message = error.what();
  } catch (const pg::PgError& error) {
    out.what = fmt::format("statement {}", pg::to_string(error.failure()));
    out.message = error.what();
  }
  out.took = since(began);
  return out;
}

/// Ends the fault, and expects service within a second: from that moment until a borrower's
/// statement has been answered. That second is one of a machine that has time for us. So a login
/// with no pool is made beside it from the same moment on, again and again: as long as the slowest
/// of these took, a tenth of a second on a machine at rest, the pool may take longer. A pool that
/// sleeps through the end of a fault is not excused by it, because those logins do not sleep.
inline std::chrono::milliseconds expect_back(Pool& pool, const pg::Conninfo& where,
                                             const std::string& fault,
                                             const std::function<void()>& end_fault) {
  end_fault();
  const auto began = SteadyClock::now();
  std::atomic<bool> over{false};
  std::chrono::milliseconds slowest{0};
  std::thread beside([&] {
    while (!over) {
      const auto login = SteadyClock::now();
      try {
        auto connection = pg::Connection::connect(where, patience());
        connection.exec("SELECT 1", patience());
      } catch (const pg::PgError&) {
      }
      slowest = std::max(slowest, since(login));
    }
  });
  const bool back = within(
      kPatience, [&] { return borrow_once(pool, std::chrono::seconds(5)).served(); },
      std::chrono::milliseconds(5));
  const auto took = since(began);
  over = true;
  beside.join();
  std::cout << fmt::format("{}: service after {} ms, a login beside it took up to {} ms\n", fault,
                           took.count(), slowest.count());
  EXPECT_TRUE(back) << fault;
  EXPECT_LE(took, kBackWithin + slowest) << fault;
  return took;
}

/// Callers who come without pause, and what they got.
class Crowd {
 public:
  Crowd(Pool& pool, int size, std::chrono::milliseconds limit, std::string sql = "SELECT 1") {
    for (int i = 0; i < size; ++i) {
      threads_.emplace_back([this, &pool, limit, sql] {
        while (!over_) {
          const auto outcome = borrow_once(pool, limit, sql);
          const std::lock_guard lock(mutex_);
          auto& seen = seen_[outcome.what];
          ++seen.first;
          seen.second = std::max(seen.second, outcome.took);
          if (!outcome.served()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      });
    }
  }
  ~Crowd() { end(); }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  void end() {
    over_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  /// By what they got: how many, and the longest that one of them took. Begins anew.
  std::map<std::string, std::pair<int, std::chrono::milliseconds>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(seen_, {});
  }
  void print(const std::string& fault) {
    for (const auto& [what, seen] : take()) {
      std::cout << fmt::format("{}: {} x {}, the slowest after {} ms\n", fault, seen.first, what,
                               seen.second.count());
    }
  }

 private:
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  std::map<std::string, std::pair<int, std::chrono::milliseconds>> seen_;
  std::vector<std::thread> threads_;
};

inline std::int64_t create_failures(const PoolStatistics& numbers) {
  const auto& all = numbers.create_failures_total;
  return std::accumulate(all.begin(), all.end(), std::int64_t{0});
}

/// Connections made and not closed, as the pool counts them, minus those it says stand. Always 0.
inline std::int64_t unaccounted(const PoolStatistics& numbers) {
  const auto closed =
      std::accumulate(numbers.closes_total.begin(), numbers.closes_total.end(), std::int64_t{0});
  return numbers.creates_total - closed - numbers.now.idle - numbers.now.in_use;
}

/// Sessions that the server has under this name.
inline std::int64_t sessions_of(pg::Connection& watcher, const std::string& application_name) {
  return watcher
      .exec("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1",
            pg::Params::of(application_name), patience())
      .i64(0, 0);
}

}  // namespace pantryd::testing_support
