// The pool and a server that goes away, comes back, is full, or will not have us any more.
#include <gmock/gmock.h>

#include "tests/support/pool_chaos.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using std::chrono::milliseconds;

constexpr auto kAtOnce = 3000ms;
constexpr auto kName = "pool_server";

pg::Connection admin() {
  return pg::Connection::connect(shared_sandbox().primary(), patience());
}

class PoolServerTest : public testing::Test {
 protected:
  Pool& start(const pg::Conninfo& where, PoolSettings settings = {}) {
    settings.connect.application_name = kName;
    pool_ = std::make_unique<Pool>(where, settings);
    return *pool_;
  }
  Pool& start_warm(int size = 4) {
    PoolSettings settings;
    settings.policy.size_min = settings.policy.size_max = size;
    auto& pool = start(till_at(shared_sandbox().port()), settings);
    EXPECT_TRUE(stands(size));
    return pool;
  }
  /// So many connections are idle.
  [[nodiscard]] bool stands(int count) const {
    return within(
        kPatience, [&] { return pool_->statistics().now.idle == count; }, 5ms);
  }
  void expect_accounts() const {
    const auto numbers = pool_->statistics();
    EXPECT_EQ(unaccounted(numbers), 0);
    auto watcher = admin();
    EXPECT_TRUE(within(kPatience, [&] {
      const auto now = pool_->statistics().now;
      return now.connecting == 0 && sessions_of(watcher, kName) == now.idle + now.in_use;
    }));
  }

  /// Backends outlive a killed postmaster for a moment, and what was under way is lost a moment
  /// after the server is: true once both are over and nobody is told anything else.
  static bool all_are_told_that_it_is_down(Crowd& crowd) {
    return within(
        kPatience,
        [&] {
          const auto seen = crowd.take();
          return seen.size() == 1 && seen.begin()->first == "server_down";
        },
        100ms);
  }

  std::unique_ptr<Pool> pool_;
};

/// A login beside the pool is the measure here too: both wait for the same server.
TEST_F(PoolServerTest, AFastRestartOfTheServerIsOverWithASecond) {
  auto& pool = start_warm();
  Crowd crowd(pool, 6, 300ms);
  shared_sandbox().stop_primary();
  ASSERT_TRUE(all_are_told_that_it_is_down(crowd));
  std::this_thread::sleep_for(2s);
  const auto seen = crowd.take();
  for (const auto& [what, count] : seen) EXPECT_EQ(what, "server_down") << count.first;
  (void)expect_back(pool, till_at(shared_sandbox().port()), "fast restart",
                    [] { shared_sandbox().start_primary(); });
  crowd.end();
  ASSERT_TRUE(stands(4));
  expect_accounts();
}

TEST_F(PoolServerTest, ACrashOfTheServerIsOverWithASecondOfItsRecovery) {
  auto& pool = start_warm();
  Crowd crowd(pool, 6, 300ms);
  shared_sandbox().kill_primary();
  ASSERT_TRUE(all_are_told_that_it_is_down(crowd));
  std::this_thread::sleep_for(2s);
  for (const auto& [what, count] : crowd.take()) EXPECT_EQ(what, "server_down") << count.first;
  (void)expect_back(pool, till_at(shared_sandbox().port()), "crash",
                    [] { shared_sandbox().start_primary(); });
  crowd.end();
  ASSERT_TRUE(stands(4));
  expect_accounts();
}

TEST_F(PoolServerTest, NobodyGetsAnIdleConnectionWhoseBackendWasTerminated) {
  auto& pool = start_warm();
  auto watcher = admin();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(stands(4));
    watcher.exec(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
        "WHERE application_name = $1",
        pg::Params::of(kName), patience());
    for (int i = 0; i < 6; ++i) {
      const auto outcome = borrow_once(pool, kPatience);
      EXPECT_TRUE(outcome.served()) << outcome.message;
    }
  }
  ASSERT_TRUE(stands(4));
  expect_accounts();
}

TEST_F(PoolServerTest, ABorrowerWhoseBackendWasTerminatedLosesItAndTheNextIsServed) {
  auto& pool = start_warm();
  auto watcher = admin();
  {
    std::vector<Lease> leases;
    for (int i = 0; i < 4; ++i) leases.push_back(pool.acquire(patience()));
    watcher.exec(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
        "WHERE application_name = $1",
        pg::Params::of(kName), patience());
    for (const auto& lease : leases) {
      try {
        lease->exec("SELECT 1", patience());
        FAIL() << "a terminated backend answered";
      } catch (const pg::PgError& error) {
        EXPECT_EQ(error.failure(), pg::Failure::lost) << error.what();
      }
    }
  }
  EXPECT_TRUE(borrow_once(pool, kPatience).served());
  ASSERT_TRUE(stands(4));
  EXPECT_EQ(pool.statistics().closes_total[static_cast<std::size_t>(pool::CloseCause::broken)], 4);
  expect_accounts();
}

/// The role's own limit gives the same 53300 as the server's, and a test can lift it.
TEST_F(PoolServerTest, AServerWithoutASlotIsNamedAtTheDeadlineAndServesOnceThereIsOne) {
  const auto where = till_at(shared_sandbox().port());
  auto watcher = admin();
  const auto limit = watcher.exec(
      "SELECT setting::int - (SELECT setting::int FROM pg_settings "
      "WHERE name = 'superuser_reserved_connections') "
      "FROM pg_settings WHERE name = 'max_connections'",
      patience());
  std::vector<pg::Connection> others;
  const auto fill = [&] {
    for (std::int64_t i = 0; i < limit.i64(0, 0) + 8; ++i) {
      try {
        others.push_back(pg::Connection::connect(where, patience()));
      } catch (const pg::PgError& error) {
        EXPECT_EQ(error.failure(), pg::Failure::too_many) << error.what();
        return;
      }
    }
    ADD_FAILURE() << "the server never was full";
  };
  fill();
  auto& pool = start(where);
  for (int i = 0; i < 3; ++i) {
    const auto outcome = borrow_once(pool, 1500ms);
    EXPECT_EQ(outcome.what, "too_many_clients") << outcome.message;
    EXPECT_GE(outcome.took, 1500ms) << "a slot may come free: it is waited for";
    EXPECT_LE(outcome.took, 1500ms + kAtOnce);
  }
  std::thread waiter([&] {
    const auto outcome = borrow_once(pool, kPatience);
    EXPECT_TRUE(outcome.served()) << outcome.message;
  });
  (void)expect_back(pool, where, "full server", [&] { others.clear(); });
  waiter.join();
  expect_accounts();
}

TEST_F(PoolServerTest, AWrongPasswordIsToldAtOnce) {
  auto& pool = start(till_at(shared_sandbox().port()).with("password", "wrong"));
  for (int i = 0; i < 3; ++i) {
    const auto outcome = borrow_once(pool, kPatience);
    EXPECT_EQ(outcome.what, "authentication") << outcome.message;
    EXPECT_THAT(outcome.message, testing::Not(testing::HasSubstr("wrong")));
    EXPECT_LE(outcome.took, kAtOnce);
  }
}

TEST_F(PoolServerTest, ARoleThatMayLogInNoMoreKeepsWhatItHasAndIsRefusedByNameAfterThat) {
  auto& pool = start_warm(2);
  auto watcher = admin();
  watcher.exec("ALTER ROLE till NOLOGIN", patience());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(borrow_once(pool, kPatience).served());
  watcher.exec(
      "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
      "WHERE application_name = $1",
      pg::Params::of(kName), patience());
  for (int i = 0; i < 3; ++i) {
    const auto outcome = borrow_once(pool, kPatience);
    EXPECT_EQ(outcome.what, "authentication") << outcome.message;
    EXPECT_LE(outcome.took, kAtOnce);
  }
  watcher.exec("ALTER ROLE till LOGIN", patience());
  const auto began = SteadyClock::now();
  EXPECT_TRUE(within(
      kPatience, [&] { return borrow_once(pool, kPatience).served(); }, 20ms));
  std::cout << fmt::format("login allowed again: service after {} ms\n", since(began).count());
  ASSERT_TRUE(stands(2));
  expect_accounts();
}

/// The last one: nothing brings the shared sandbox's first primary back.
TEST_F(PoolServerTest, XAfterAFailoverThePromotedStandbyIsFoundAndWrittenTo) {
  auto& sandbox = shared_sandbox();
  const auto where = till_at(sandbox.port())
                         .with("host", "127.0.0.1,127.0.0.1")
                         .with("port", fmt::format("{},{}", sandbox.port(), sandbox.port() + 1))
                         .with("target_session_attrs", "read-write");
  admin().exec_script("CREATE TABLE receipt (id int); GRANT INSERT ON receipt TO till", patience());
  PoolSettings settings;
  settings.policy.size_min = settings.policy.size_max = 3;
  auto& pool = start(where, settings);
  ASSERT_TRUE(stands(3));
  const std::string write = "INSERT INTO receipt VALUES (1)";
  ASSERT_TRUE(borrow_once(pool, kPatience, write).served());
  auto standby = pg::Connection::connect(sandbox.standby(), patience());
  ASSERT_TRUE(within(kPatience, [&] {
    return standby.exec("SELECT to_regclass('receipt') IS NOT NULL", patience()).boolean(0, 0);
  }));
  sandbox.stop_primary();
  ASSERT_TRUE(within(kPatience, [&] {
    return borrow_once(pool, kPatience, write).what == "server_down";
  })) << "a standby was taken for a primary";
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(borrow_once(pool, kPatience, write).what, "server_down");
  (void)expect_back(pool, where, "failover", [&] {
    EXPECT_TRUE(standby.exec("SELECT pg_promote(true, 60)", patience()).boolean(0, 0));
  });
  EXPECT_TRUE(borrow_once(pool, kPatience, write).served());
  EXPECT_GE(standby.exec("SELECT count(*) FROM receipt", patience()).i64(0, 0), 1);
}

}  // namespace
}  // namespace pantryd
