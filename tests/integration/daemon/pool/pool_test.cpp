// What the pool promises, on a real server that is well. What it does when the server is not is
// under tests/chaos.
#include "pool/pool.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/file.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::within;

Deadline soon() {
  return Deadline::in(seconds(30));
}

PoolSettings small(int size_max) {
  PoolSettings out;
  out.policy.size_max = size_max;
  return out;
}

pg::Connection direct() {
  const auto primary = shared_sandbox().primary();
  return pg::Connection::connect(primary, soon());
}

std::string ask(const Lease& lease, const std::string& sql) {
  return std::string(lease->exec(sql, soon()).text(0, 0));
}

TEST(PoolTest, TheMinimumIsWarmBeforeAnybodyAsks) {
  auto settings = small(5);
  settings.policy.size_min = 3;
  const Pool pool(shared_sandbox().primary(), settings);
  EXPECT_TRUE(within(seconds(20), [&] { return pool.statistics().now.idle == 3; }));
  EXPECT_EQ(pool.statistics().acquires_total, 0);
}

TEST(PoolTest, TheMinimumIsFilledAgainWhenConnectionsDie) {
  auto settings = small(5);
  settings.policy.size_min = 2;
  settings.connect.application_name = "pool_refill";
  Pool pool(shared_sandbox().primary(), settings);
  {
    auto lease = pool.acquire(soon());
    auto admin = direct();
    admin.exec("SELECT pg_terminate_backend(" + std::to_string(lease->backend_pid()) + ")", soon());
    EXPECT_ANY_THROW(lease->exec("SELECT 1", soon()));
  }
  EXPECT_TRUE(within(seconds(20), [&] {
    const auto told = pool.statistics();
    return told.now.idle == 2 && told.creates_total == 3;
  }));
}

TEST(PoolTest, AnOpenTransactionIsRolledBackOnReturn) {
  Pool pool(shared_sandbox().primary(), small(1));
  {
    auto lease = pool.acquire(soon());
    lease->exec("CREATE TABLE IF NOT EXISTS pool_left_open (n int)", soon());
    lease->exec("BEGIN", soon());
    lease->exec("INSERT INTO pool_left_open VALUES (1)", soon());
  }
  auto lease = pool.acquire(soon());
  EXPECT_TRUE(lease->idle());
  EXPECT_EQ(ask(lease, "SELECT count(*) FROM pool_left_open"), "0");
  EXPECT_EQ(pool.statistics().creates_total, 1);
}

TEST(PoolTest, WhatABorrowerSetIsGoneAndWhatItPreparedIsKept) {
  Pool pool(shared_sandbox().primary(), small(1));
  {
    const auto lease = pool.acquire(soon());
    lease->exec_cached("SELECT 1 AS kept", soon());
    lease->exec("SET work_mem = '1MB'", soon());
    lease->exec("CREATE TEMP TABLE left_behind (n int)", soon());
    lease->exec("SELECT pg_advisory_lock(4711)", soon());
  }
  const auto lease = pool.acquire(soon());
  EXPECT_NE(ask(lease, "SHOW work_mem"), "1MB");
  EXPECT_EQ(ask(lease, "SELECT coalesce(to_regclass('left_behind')::text, 'gone')"), "gone");
  EXPECT_EQ(ask(lease,
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                "AND pid = pg_backend_pid()"),
            "0");
  EXPECT_EQ(ask(lease,
                "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1 AS "
                "kept'"),
            "1");
  EXPECT_EQ(pool.statistics().creates_total, 1);
}

TEST(PoolTest, AFullPoolSaysSoWithItsNumbers) {
  Pool pool(shared_sandbox().primary(), small(1));
  const auto holder = pool.acquire(soon());
  try {
    (void)pool.acquire(Deadline::in(milliseconds(200)));
    FAIL();
  } catch (const PoolError& error) {
    EXPECT_EQ(error.refusal(), pool::Refusal::full);
    EXPECT_THAT(error.what(), HasSubstr("1 in use, 0 idle, 0 connecting, 0 waiting, limit 1"));
  }
  const auto told = pool.statistics();
  EXPECT_EQ(told.refusals_total[static_cast<std::size_t>(pool::Refusal::full)], 1);
  EXPECT_EQ(told.acquire_wait.count(), 2);  // who got nothing waited, too
}

TEST(PoolTest, AStopEndsTheWait) {
  Pool pool(shared_sandbox().primary(), small(1));
  const auto holder = pool.acquire(soon());
  StopFlag stop;
  std::thread stopper([&] { stop.request(); });
  try {
    (void)pool.acquire(soon(), &stop);
    ADD_FAILURE();
  } catch (const PoolError& error) {
    EXPECT_EQ(error.refusal(), pool::Refusal::stopped);
  }
  stopper.join();
}

TEST(PoolTest, AShutDownRefusesWhoWaitsAndWhoComes) {
  Pool pool(shared_sandbox().primary(), small(1));
  const auto holder = pool.acquire(soon());
  std::atomic<int> refused{0};
  std::thread waiter([&] {
    try {
      (void)pool.acquire(soon());
    } catch (const PoolError& error) {
      if (error.refusal() == pool::Refusal::shutting_down) ++refused;
    }
  });
  EXPECT_TRUE(within(seconds(10), [&] { return pool.statistics().now.waiting == 1; }));
  pool.shut_down();
  waiter.join();
  EXPECT_THROW((void)pool.acquire(soon()), PoolError);
  EXPECT_EQ(refused, 1);
  EXPECT_TRUE(holder->idle());  // what is lent may be used to its end
}

TEST(PoolTest, ALeaseMayOutliveThePool) {
  Lease lease;
  {
    Pool pool(shared_sandbox().primary(), small(1));
    lease = pool.acquire(soon());
  }
  EXPECT_EQ(ask(lease, "SELECT 1"), "1");
}

TEST(PoolTest, ALeakIsToldWithItsBorrowerAgeAndBackend) {
  auto settings = small(2);
  settings.leak_after = milliseconds(200);
  Pool pool(shared_sandbox().primary(), settings);
  const auto kept = pool.acquire(soon());
  kept->exec("SELECT 'a secret', 42 AS answer", soon());
  EXPECT_TRUE(within(seconds(20), [&] { return pool.statistics().leaks_total == 1; }));
  const auto leaks = pool.leaks();
  ASSERT_EQ(leaks.size(), 1U);
  EXPECT_THAT(leaks[0].borrower, HasSubstr("pool_test.cpp:"));
  EXPECT_GE(leaks[0].held, milliseconds(200));
  EXPECT_EQ(leaks[0].backend_pid, kept->backend_pid());
  EXPECT_THAT(leaks[0].last_statement, HasSubstr("42 AS answer"));
  EXPECT_THAT(leaks[0].last_statement, testing::Not(HasSubstr("secret")));
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(pool.statistics().leaks_total, 1);  // once a lease
}

TEST(PoolTest, TheTimesOfWaitingAndHoldingAreCounted) {
  Pool pool(shared_sandbox().primary(), small(1));
  for (int i = 0; i < 3; ++i) {
    const auto lease = pool.acquire(soon());
    std::this_thread::sleep_for(milliseconds(20));
  }
  const auto told = pool.statistics();
  EXPECT_EQ(told.acquire_wait.count(), 3);
  EXPECT_EQ(told.hold.count(), 3);
  EXPECT_GE(told.hold.sum_s, 0.06);
}

TEST(PoolTest, MoreRoomIsUsedAtOnceByWhoWaits) {
  Pool pool(shared_sandbox().primary(), small(1));
  const auto first = pool.acquire(soon());
  std::atomic<bool> got{false};
  std::thread waiter([&] {
    const auto second = pool.acquire(soon());
    got = true;
  });
  EXPECT_TRUE(within(seconds(10), [&] { return pool.statistics().now.waiting == 1; }));
  const auto where = shared_sandbox().primary();
  pool.change([where] { return where; }, small(2), false);
  waiter.join();
  EXPECT_TRUE(got);
}

TEST(PoolTest, LessRoomWaitsForTheWorkThatRuns) {
  Pool pool(shared_sandbox().primary(), small(2));
  auto first = pool.acquire(soon());
  auto second = pool.acquire(soon());
  const auto where = shared_sandbox().primary();
  pool.change([where] { return where; }, small(1), false);
  EXPECT_EQ(ask(first, "SELECT 1"), "1");
  EXPECT_EQ(ask(second, "SELECT 2"), "2");
  first.reset();
  second.reset();
  const auto told = pool.statistics();
  EXPECT_EQ(told.now.idle, 1);
  EXPECT_EQ(told.closes_total[static_cast<std::size_t>(pool::CloseCause::surplus)], 1);
}

TEST(PoolTest, ANewLoginRetiresWhatWasMadeBeforeAsItComesBack) {
  Pool pool(shared_sandbox().primary(), small(1));
  auto lease = pool.acquire(soon());
  auto settings = small(1);
  settings.connect.application_name = "pool_renamed";
  const auto where = shared_sandbox().primary();
  pool.change([where] { return where; }, settings, true);
  EXPECT_EQ(ask(lease, "SHOW application_name"), "pantryd");
  lease.reset();
  lease = pool.acquire(soon());
  EXPECT_EQ(ask(lease, "SHOW application_name"), "pool_renamed");
  EXPECT_EQ(pool.statistics().closes_total[static_cast<std::size_t>(pool::CloseCause::changed)], 1);
}

class RotatedPassword : public testing::Test {
 protected:
  void SetUp() override {
    auto admin = direct();
    admin.exec_script("DROP ROLE IF EXISTS pool_rotating; CREATE ROLE pool_rotating LOGIN", soon());
    set_on_server("first one");
    set_in_file("first one");
  }
  static void set_on_server(const std::string& password) {
    auto admin = direct();
    admin.exec("ALTER ROLE pool_rotating PASSWORD '" + password + "'", soon());
  }
  static void set_in_file(const std::string& password) {
    write_file_atomically(file(), password + "\n");
    ::chmod(file().c_str(), 0600);
  }
  static std::filesystem::path file() { return scratch_dir() / "rotating.password"; }
  static Login login() {
    const auto where = shared_sandbox().primary().with("user", "pool_rotating");
    return [where] { return where.with("password", one_line(read_file(file(), 1024))); };
  }
};

TEST_F(RotatedPassword, IsUsedForTheNextConnectionAndTheOldOneGoesOn) {
  Pool pool(login(), small(2));
  const auto before = pool.acquire(soon());
  set_on_server("second one");
  set_in_file("second one");
  const auto after = pool.acquire(soon());
  EXPECT_EQ(ask(before, "SELECT 1"), "1");
  EXPECT_EQ(ask(after, "SELECT 1"), "1");
}

TEST_F(RotatedPassword, ThatTheServerDoesNotKnowIsAnAuthenticationRefusalUntilTheFileIsRight) {
  set_in_file("a wrong one");
  Pool pool(login(), small(2));
  try {
    (void)pool.acquire(soon());
    FAIL();
  } catch (const PoolError& error) {
    EXPECT_EQ(error.refusal(), pool::Refusal::authentication);
    EXPECT_EQ(error.code(), ExitCode::unreachable);
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("wrong one")));
  }
  set_in_file("first one");
  EXPECT_TRUE(within(seconds(30), [&] {
    try {
      return ask(pool.acquire(soon()), "SELECT 1") == "1";
    } catch (const PoolError&) {
      return false;
    }
  }));
}

TEST_F(RotatedPassword, WhoseFileIsGoneIsToldByItsPath) {
  std::filesystem::remove(file());
  Pool pool(login(), small(1));
  try {
    (void)pool.acquire(soon());
    FAIL();
  } catch (const PoolError& error) {
    EXPECT_EQ(error.refusal(), pool::Refusal::authentication);
    EXPECT_THAT(error.what(), HasSubstr("rotating.password"));
  }
}

}  // namespace
}  // namespace pantryd
