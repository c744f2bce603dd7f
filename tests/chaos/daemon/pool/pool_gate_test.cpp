// The pool behind a network that breaks: what those who ask get and in what time, and how soon
// service is back. The policy is the default one where a test does not say otherwise.
#include <gmock/gmock.h>

#include "tests/support/pool_chaos.h"
#include "tests/support/tcp_gate.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using std::chrono::milliseconds;

/// For what takes no time of its own; the machine may be busy with other things.
constexpr auto kAtOnce = 3000ms;
/// So long that a back-off that grows has grown.
constexpr auto kFault = 3500ms;
constexpr auto kLimit = 300ms;

class PoolGateTest : public testing::Test {
 protected:
  PoolGateTest() : gate_(shared_sandbox().port()), where_(till_at(gate_.port())) {}

  Pool& start(PoolSettings settings = {}) {
    settings.connect.application_name = "pool_gate";
    pool_ = std::make_unique<Pool>(where_, settings);
    return *pool_;
  }

  /// With connections that stand and have been used.
  Pool& start_warm(PoolSettings settings = {}) {
    settings.policy.size_min = settings.policy.size_max = 4;
    auto& pool = start(settings);
    EXPECT_TRUE(within(
        kPatience, [&] { return pool.statistics().now.idle == 4; }, 5ms));
    return pool;
  }

  /// A crowd lives through the fault; then service is back, and stays.
  void expect_back_after(const std::string& name, GateFault fault, bool cut_too = false,
                         milliseconds lasts = kFault) {
    auto& pool = start_warm();
    Crowd crowd(pool, 8, kLimit);
    std::this_thread::sleep_for(200ms);
    gate_.set(fault);
    if (cut_too) gate_.cut();
    (void)crowd.take();
    std::this_thread::sleep_for(lasts);
    crowd.print(name);
    (void)expect_back(pool, where_, name, [&] { gate_.clear(); });
    // And stays: twice as many callers as connections, and nobody is sent away.
    EXPECT_TRUE(within(
        kPatience, [&] { return pool.statistics().breaker == pool::Breaker::closed; }, 5ms));
    (void)crowd.take();
    std::this_thread::sleep_for(300ms);
    for (const auto& [what, seen] : crowd.take()) EXPECT_NE(what, "server_down") << seen.first;
    EXPECT_EQ(unaccounted(pool.statistics()), 0);
  }

  TcpGate gate_;
  pg::Conninfo where_;
  std::unique_ptr<Pool> pool_;
};

TEST_F(PoolGateTest, ServiceIsBackASecondAfterAStall) {
  expect_back_after("stall", GateFault::stall);
}
TEST_F(PoolGateTest, ServiceIsBackASecondAfterARefusal) {
  expect_back_after("refuse", GateFault::refuse, true);
}
TEST_F(PoolGateTest, ServiceIsBackASecondAfterABlackHole) {
  expect_back_after("black hole", GateFault::black_hole);
}
TEST_F(PoolGateTest, ServiceIsBackASecondAfterABlackHoleThatLostTheConnectionsToo) {
  // The kernel alone would send the next SYN 4 seconds later, or 8 before Linux 6.5.
  expect_back_after("black hole and cut", GateFault::black_hole, true, 7300ms);
}
TEST_F(PoolGateTest, ServiceIsBackASecondAfterATrickle) {
  expect_back_after("trickle", GateFault::trickle);
}
TEST_F(PoolGateTest, ServiceIsBackASecondAfterACut) {
  auto& pool = start_warm();
  Crowd crowd(pool, 8, kLimit);
  std::this_thread::sleep_for(200ms);
  (void)crowd.take();
  (void)expect_back(pool, where_, "cut", [&] { gate_.cut(); });
  crowd.print("cut");
}

/// An attempt to cancel hangs on a thread of its own, and the number of such threads has a limit.
/// The stall ends for new connections alone: nothing ever comes from the server that was.
class HangingStatementsTest : public PoolGateTest,
                              public testing::WithParamInterface<const char*> {};

TEST_P(HangingStatementsTest, DoNotKeepNewConnectionsFromBeingMade) {
  where_ = where_.with("host", GetParam());
  PoolSettings settings;
  settings.policy.size_min = settings.policy.size_max = 40;
  settings.policy.connects_max = 8;
  settings.connect_timeout = 1s;  // of those that began during the stall and stay in it
  auto& pool = start(settings);
  ASSERT_TRUE(within(
      kPatience, [&] { return pool.statistics().now.idle == 40; }, 5ms));
  std::vector<Lease> leases;
  for (int i = 0; i < 40; ++i) leases.push_back(pool.acquire(patience()));
  gate_.set(GateFault::stall);
  std::vector<std::thread> threads;
  std::atomic<int> timeouts{0};
  for (auto& lease : leases) {
    threads.emplace_back([&] {
      try {
        lease->exec("SELECT 1", Deadline::in(100ms));
      } catch (const pg::PgError& error) {
        if (error.failure() == pg::Failure::timeout) ++timeouts;
      }
      lease.reset();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(timeouts, 40);
  gate_.set(GateFault::pass, GateReach::fresh);
  Outcome last;
  EXPECT_TRUE(within(kPatience, [&] { return (last = borrow_once(pool, kPatience)).served(); }))
      << last.what << ": " << last.message;
}

INSTANTIATE_TEST_SUITE_P(ByAddressAndByName, HangingStatementsTest,
                         testing::Values("127.0.0.1", "localhost"),
                         [](const auto& each) { return each.index == 0 ? "Address" : "Name"; });

TEST_F(PoolGateTest, InARefusalWaitersAreToldTheServerIsDownOnceThreeConnectsFailed) {
  gate_.set(GateFault::refuse);
  auto& pool = start();
  const auto first = borrow_once(pool, kPatience);
  EXPECT_EQ(first.what, "server_down") << first.message;
  EXPECT_THAT(first.message, testing::HasSubstr("refused"));
  // Two pauses of 100 and 200 ms at most, each seen by the janitor 100 ms later at most.
  EXPECT_LE(first.took, 500ms + kAtOnce);
  const auto failures = create_failures(pool.statistics());
  EXPECT_GE(failures, 3);
  const auto second = borrow_once(pool, kPatience);
  EXPECT_EQ(second.what, "server_down");
  EXPECT_LE(second.took, kAtOnce);
}

TEST_F(PoolGateTest, InARefusalThoseThatStandServeOn) {
  PoolSettings settings;
  settings.policy.size_max = 8;
  settings.policy.size_min = 2;
  auto& pool = start(settings);
  ASSERT_TRUE(within(
      kPatience, [&] { return pool.statistics().now.idle == 2; }, 5ms));
  gate_.set(GateFault::refuse);
  // More callers than connections: the pool wants more of them and cannot have them.
  Crowd crowd(pool, 6, kPatience);
  ASSERT_TRUE(within(
      kPatience, [&] { return create_failures(pool.statistics()) > 5; }, 5ms));
  (void)crowd.take();
  ASSERT_TRUE(within(
      kPatience, [&] { return create_failures(pool.statistics()) > 10; }, 5ms));
  crowd.end();
  const auto seen = crowd.take();
  EXPECT_EQ(seen.size(), 1U);
  for (const auto& [what, count] : seen) EXPECT_EQ(what, "served") << count.first;
  EXPECT_EQ(pool.statistics().now.idle, 2);
}

TEST_F(PoolGateTest, InAStallABorrowersStatementEndsAtItsDeadlineAndWaitersAtTheirs) {
  PoolSettings settings;
  settings.connect_timeout = 400ms;
  auto& pool = start_warm(settings);
  gate_.set(GateFault::stall);
  const auto began = SteadyClock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto outcome = borrow_once(pool, 1000ms);
      EXPECT_EQ(outcome.what, "statement timeout") << outcome.message;
      // Its own deadline, and what an attempt to cancel may take.
      EXPECT_LE(outcome.took, 1000ms + pg::kCancelBudget + kAtOnce);
    });
  }
  ASSERT_TRUE(within(
      kPatience, [&] { return pool.statistics().now.in_use == 4; }, 1ms));
  const auto waiter = borrow_once(pool, kLimit);
  EXPECT_EQ(waiter.what, "full") << waiter.message << since(began).count();
  EXPECT_LE(waiter.took, kLimit + kAtOnce);
  for (auto& thread : threads) thread.join();
  // No connection stands; those being made end after connect_timeout, and the third one in a row
  // opens the breaker.
  const auto last = borrow_once(pool, kPatience);
  EXPECT_EQ(last.what, "server_down");
  EXPECT_LE(last.took, 3 * 400ms + 500ms + kAtOnce);
}

TEST_F(PoolGateTest, WhereConnectsGetNoAnswerAWaiterIsToldSoAtItsDeadline) {
  for (const auto fault : {GateFault::stall, GateFault::black_hole}) {
    gate_.set(fault);
    auto& pool = start();
    const auto outcome = borrow_once(pool, kLimit);
    EXPECT_EQ(outcome.what, "deadline") << outcome.message;
    EXPECT_LE(outcome.took, kLimit + kAtOnce);
    pool_.reset();
    gate_.clear();
  }
}

TEST_F(PoolGateTest, ACutIsNoticedBeforeAnIdleConnectionIsGivenOut) {
  auto& pool = start_warm();
  auto watcher = pg::Connection::connect(shared_sandbox().primary(), patience());
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(within(
        kPatience, [&] { return pool.statistics().now.idle == 4; }, 5ms));
    gate_.cut();
    // The kernel may deliver a reset later. The client's was sent before the server's.
    ASSERT_TRUE(within(
        kPatience, [&] { return sessions_of(watcher, "pool_gate") == 0; }, 5ms));
    for (int i = 0; i < 6; ++i) {
      const auto outcome = borrow_once(pool, kPatience);
      EXPECT_TRUE(outcome.served()) << outcome.what << ": " << outcome.message;
    }
  }
  EXPECT_EQ(unaccounted(pool.statistics()), 0);
}

TEST_F(PoolGateTest, ACutUnderAStatementIsALostConnectionAtOnceAndTheNextBorrowerIsServed) {
  auto& pool = start_warm();
  std::thread borrower([&] {
    const auto outcome = borrow_once(pool, kPatience, "SELECT pg_sleep(60)");
    EXPECT_EQ(outcome.what, "statement lost") << outcome.message;
    EXPECT_LE(outcome.took, kPatience / 2);
  });
  EXPECT_TRUE(within(
      kPatience, [&] { return pool.statistics().now.in_use == 1; }, 1ms));
  std::this_thread::sleep_for(50ms);
  gate_.cut();
  borrower.join();
  EXPECT_TRUE(borrow_once(pool, kPatience).served());
}

TEST_F(PoolGateTest, ATrickleSlowsBorrowersAndBreaksNothing) {
  auto& pool = start_warm();
  gate_.set(GateFault::trickle);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(borrow_once(pool, kPatience).served());
  const auto hasty = borrow_once(pool, 20ms);
  EXPECT_THAT(hasty.what, testing::AnyOf("statement timeout", "served")) << hasty.message;
  EXPECT_EQ(create_failures(pool.statistics()), 0);
}

}  // namespace
}  // namespace pantryd
