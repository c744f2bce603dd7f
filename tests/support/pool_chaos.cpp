// Invariant: a Crowd's seen_ is read and written under its mutex_.
#include "tests/support/pool_chaos.h"

#include <algorithm>
#include <numeric>

namespace pantryd::testing_support {

std::chrono::milliseconds since(SteadyClock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - then);
}

Deadline patience() {
  return Deadline::in(kPatience);
}

pg::Conninfo till_at(std::uint16_t port) {
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

Outcome borrow_once(Pool& pool, std::chrono::milliseconds limit, const std::string& sql) {
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

std::chrono::milliseconds expect_back(Pool& pool, const pg::Conninfo& where,
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

Crowd::Crowd(Pool& pool, int size, std::chrono::milliseconds limit, std::string sql) {
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

void Crowd::end() {
  over_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

Crowd::Seen Crowd::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(seen_, {});
}

void Crowd::print(const std::string& fault) {
  for (const auto& [what, seen] : take()) {
    std::cout << fmt::format("{}: {} x {}, the slowest after {} ms\n", fault, seen.first, what,
                             seen.second.count());
  }
}

std::int64_t create_failures(const PoolStatistics& numbers) {
  const auto& all = numbers.create_failures_total;
  return std::accumulate(all.begin(), all.end(), std::int64_t{0});
}

std::int64_t unaccounted(const PoolStatistics& numbers) {
  const auto closed =
      std::accumulate(numbers.closes_total.begin(), numbers.closes_total.end(), std::int64_t{0});
  return numbers.creates_total - closed - numbers.now.idle - numbers.now.in_use;
}

std::int64_t sessions_of(pg::Connection& watcher, const std::string& application_name) {
  return watcher
      .exec("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1",
            pg::Params::of(application_name), patience())
      .i64(0, 0);
}

}  // namespace pantryd::testing_support
