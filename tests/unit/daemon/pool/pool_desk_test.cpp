// The pool's decisions, with a clock that the test moves, and a model of a million random steps.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "pool/desk.h"

namespace pantryd::pool {
namespace {

using namespace std::chrono_literals;
using Kind = Action::Kind;

constexpr std::uint64_t kSeed = 7;

Time at(std::chrono::milliseconds since) {
  return Time{} + 1h + since;
}

/// A desk with a clock that the test moves.
class DeskTest : public testing::Test {
 protected:
  Desk& start(Policy policy) {
    desk_.emplace(policy, kSeed, now_);
    return *desk_;
  }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    desk_->tick(now_);
  }
  std::vector<Action> take(Kind kind) {
    std::vector<Action> out;
    desk_->take_actions(out);
    seen_.insert(seen_.end(), out.begin(), out.end());
    const auto rest = std::stable_partition(seen_.begin(), seen_.end(),
                                            [&](const Action& each) { return each.kind != kind; });
    out.assign(rest, seen_.end());
    seen_.erase(rest, seen_.end());
    return out;
  }
  /// Asks, and makes what has to be made for it.
  Action borrow() {
    const auto ticket = desk_->ask(now_);
    for (const auto& each : take(Kind::connect)) desk_->connected(each.id, now_);
    const auto grants = take(Kind::grant);
    EXPECT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants.at(0).ticket, ticket);
    return grants.at(0);
  }

  Time now_ = at(0ms);
  std::optional<Desk> desk_;
  std::vector<Action> seen_;
};

TEST_F(DeskTest, MinIsMadeBeforeAnybodyAsksAndOnlyAFewAtATime) {
  auto& desk = start({.size_min = 5, .size_max = 10, .connects_max = 2});
  auto connects = take(Kind::connect);
  ASSERT_EQ(connects.size(), 2U);
  std::size_t made = 0;
  while (!connects.empty()) {
    for (const auto& each : connects) desk.connected(each.id, now_);
    made += connects.size();
    connects = take(Kind::connect);
  }
  EXPECT_EQ(made, 5U);
  EXPECT_EQ(desk.numbers().idle, 5);
}

TEST_F(DeskTest, WhoCameFirstIsServedFirstAndTheWarmestConnectionGoesOut) {
  auto& desk = start({.size_max = 2});
  const auto first = borrow();
  const auto second = borrow();
  const auto a = desk.ask(now_);
  const auto b = desk.ask(now_);
  desk.give_back(second.id, true, now_);
  desk.give_back(first.id, true, now_);
  const auto grants = take(Kind::grant);
  ASSERT_EQ(grants.size(), 2U);
  EXPECT_EQ(grants[0].ticket, a);
  EXPECT_EQ(grants[0].id, second.id);
  EXPECT_EQ(grants[1].ticket, b);
  desk.give_back(second.id, true, now_);
  desk.give_back(first.id, true, now_);
  EXPECT_EQ(borrow().id, first.id);
}

TEST_F(DeskTest, TheQueueHasALimitAndARefusalSaysWhy) {
  auto& desk = start({.size_max = 1, .waiters_max = 1});
  (void)borrow();
  const auto waits = desk.ask(now_);
  const auto refused = desk.ask(now_);
  const auto refusals = take(Kind::refuse);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].ticket, refused);
  EXPECT_EQ(refusals[0].refusal, Refusal::queue_full);
  EXPECT_EQ(desk.leave(waits), Refusal::full);
  EXPECT_EQ(desk.leave(waits), std::nullopt);
}

TEST_F(DeskTest, TheBreakerOpensFailsFastWithTheCauseAndClosesOnTheFirstGoodProbe) {
  auto& desk = start({.size_max = 4, .breaker_failures = 2});
  const auto waits = desk.ask(now_);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::unreachable, now_);
  EXPECT_EQ(desk.breaker(), Breaker::closed);
  pass(200ms);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::unreachable, now_);
  EXPECT_EQ(desk.breaker(), Breaker::open);
  auto refusals = take(Kind::refuse);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].ticket, waits);
  EXPECT_EQ(refusals[0].refusal, Refusal::server_down);
  (void)desk.ask(now_);
  EXPECT_EQ(take(Kind::refuse).size(), 1U) << "at once, without a connect";
  EXPECT_TRUE(take(Kind::connect).empty());
  pass(10s);
  const auto probes = take(Kind::connect);
  ASSERT_EQ(probes.size(), 1U);
  EXPECT_EQ(desk.breaker(), Breaker::half_open);
  desk.connected(probes[0].id, now_);
  EXPECT_EQ(desk.breaker(), Breaker::closed);
  (void)borrow();
}

TEST_F(DeskTest, AWrongPasswordIsNotAServerThatIsDown) {
  auto& desk = start({.size_max = 4});
  (void)desk.ask(now_);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::authentication, now_);
  EXPECT_EQ(take(Kind::refuse).at(0).refusal, Refusal::authentication);
}

TEST_F(DeskTest, AServerWithoutAFreeSlotIsWaitedForAndNamedAtTheDeadline) {
  auto& desk = start({.size_max = 4});
  const auto waits = desk.ask(now_);
  for (int i = 0; i < 10; ++i) {
    desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::too_many_clients, now_);
    EXPECT_EQ(desk.breaker(), Breaker::closed);
    pass(10s);
  }
  EXPECT_EQ(desk.leave(waits), Refusal::too_many_clients);
}

TEST_F(DeskTest, BackOffGrowsAndHasALimit) {
  auto& desk = start({.size_max = 1, .backoff_first = 100ms, .backoff_max = 2s});
  (void)desk.ask(now_);
  auto longest = 0ns;
  for (int i = 0; i < 200; ++i) {
    auto connects = take(Kind::connect);
    ASSERT_EQ(connects.size(), 1U);
    desk.connect_failed(connects[0].id, ConnectFailure::unreachable, now_);
    const auto next = desk.next_tick();
    ASSERT_TRUE(next);
    longest = std::max<std::chrono::nanoseconds>(longest, *next - now_);
    if (i == 0) {
      EXPECT_LE(*next - now_, 100ms);
    }
    now_ = *next;
    desk.tick(now_);
  }
  EXPECT_LE(longest, 2s);
  EXPECT_GT(longest, 1500ms);
}

TEST_F(DeskTest, AServerThatIsBackIsNoticedSoonButARefusedLoginIsNotRepeatedOften) {
  for (const auto failure : {ConnectFailure::unreachable, ConnectFailure::too_many_clients,
                             ConnectFailure::authentication}) {
    auto& desk = start({.size_min = 1});
    auto longest = 0ns;
    for (int i = 0; i < 200; ++i) {
      desk.connect_failed(take(Kind::connect).at(0).id, failure, now_);
      const auto next = *desk.next_tick();
      longest = std::max<std::chrono::nanoseconds>(longest, next - now_);
      now_ = next;
      desk.tick(now_);
    }
    const bool login = failure == ConnectFailure::authentication;
    EXPECT_LE(longest, login ? 10s : 500ms);
    EXPECT_GT(longest, login ? 5s : 250ms);
    (void)take(Kind::connect);
  }
}

TEST_F(DeskTest, ConnectionsThatServeOnAreWaitedForWhileTheServerTakesNoNewOnes) {
  auto& desk = start({.size_max = 3, .breaker_failures = 2});
  const auto one = borrow();
  const auto two = borrow();
  (void)desk.ask(now_);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::unreachable, now_);
  desk.give_back(one.id, true, now_);
  EXPECT_EQ(take(Kind::grant).size(), 1U) << "one serves on";
  const auto waits = desk.ask(now_);
  pass(1s);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::unreachable, now_);
  EXPECT_EQ(desk.breaker(), Breaker::open);
  EXPECT_TRUE(take(Kind::refuse).empty());
  desk.give_back(one.id, true, now_);
  EXPECT_EQ(take(Kind::grant).at(0).ticket, waits);
  // When one of them breaks, so may the others: from then on waiting is in vain.
  const auto last = desk.ask(now_);
  desk.give_back(two.id, false, now_);
  const auto refusals = take(Kind::refuse);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].ticket, last);
  EXPECT_EQ(refusals[0].refusal, Refusal::server_down);
  (void)desk.ask(now_);
  EXPECT_EQ(take(Kind::refuse).size(), 1U);
}

TEST_F(DeskTest, AServerThatIsBackWithoutAFreeSlotIsNotDown) {
  auto& desk = start({.size_max = 2, .breaker_failures = 1});
  (void)desk.ask(now_);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::unreachable, now_);
  EXPECT_EQ(take(Kind::refuse).size(), 1U);
  pass(1s);
  desk.connect_failed(take(Kind::connect).at(0).id, ConnectFailure::too_many_clients, now_);
  EXPECT_EQ(desk.breaker(), Breaker::closed);
  const auto waits = desk.ask(now_);
  EXPECT_TRUE(take(Kind::refuse).empty());
  EXPECT_EQ(desk.leave(waits), Refusal::too_many_clients);
}

TEST_F(DeskTest, WhatIsIdleBeyondMinLeavesAndWhatIsOldLeavesAtDifferentTimes) {
  auto& desk = start(
      {.size_min = 2, .size_max = 8, .connects_max = 8, .idle_timeout = 30s, .lifetime = 1000s});
  std::vector<Action> all;
  for (int i = 0; i < 8; ++i) all.push_back(borrow());
  for (const auto& each : all) desk.give_back(each.id, true, now_);
  pass(29s);
  EXPECT_TRUE(take(Kind::close).empty());
  pass(1s);
  EXPECT_EQ(take(Kind::close).size(), 6U);
  EXPECT_EQ(desk.numbers().idle, 2);
  pass(899s - 30s);
  EXPECT_TRUE(take(Kind::close).empty()) << "never earlier than nine tenths of its life";
  std::set<Time> ends;
  while (desk.numbers().idle > 0) {
    now_ = *desk.next_tick();
    desk.tick(now_);
    if (!take(Kind::close).empty()) ends.insert(now_);
  }
  EXPECT_EQ(ends.size(), 2U) << "not in lockstep";
  EXPECT_EQ(take(Kind::connect).size(), 2U) << "and the warm ones are made anew";
}

TEST_F(DeskTest, AConnectionIsCheckedAfterALongRestAndAfterAnotherOneBroke) {
  auto& desk = start({.size_min = 2, .size_max = 2, .connects_max = 2, .check_after = 30s});
  for (const auto& each : take(Kind::connect)) desk.connected(each.id, now_);
  auto one = borrow();
  EXPECT_FALSE(one.check);
  desk.give_back(one.id, true, now_);
  pass(30s);
  one = borrow();
  EXPECT_TRUE(one.check);
  desk.give_back(one.id, true, now_);
  one = borrow();
  EXPECT_FALSE(one.check);
  const auto other = borrow();
  pass(1s);
  desk.give_back(one.id, true, now_);
  pass(1s);
  desk.give_back(other.id, false, now_);
  one = borrow();
  EXPECT_TRUE(one.check) << "idle since before the other one broke";
}

TEST_F(DeskTest, AtTheDeadlineItMakesADifferenceWhetherAConnectionWasBeingMade) {
  auto& desk = start({.size_max = 1});
  EXPECT_EQ(desk.leave(desk.ask(now_)), Refusal::deadline);
  desk.connected(take(Kind::connect).at(0).id, now_);
  (void)borrow();
  EXPECT_EQ(desk.leave(desk.ask(now_)), Refusal::full);
}

TEST_F(DeskTest, WhoFindsADeadConnectionKeepsItsPlaceInTheQueue) {
  auto& desk = start({.size_max = 1});
  const auto held = borrow();
  const auto first = desk.ask(now_);
  const auto second = desk.ask(now_);
  pass(1s);
  desk.give_back(held.id, true, now_);
  const auto grant = take(Kind::grant).at(0);
  EXPECT_EQ(grant.ticket, first);
  desk.check_failed(first, grant.id, now_);
  desk.connected(take(Kind::connect).at(0).id, now_);
  EXPECT_EQ(take(Kind::grant).at(0).ticket, first);
  EXPECT_EQ(desk.leave(second), Refusal::full);
}

TEST_F(DeskTest, ASmallerPoolAndANewPasswordRetireConnectionsAsTheyComeBack) {
  auto& desk = start({.size_max = 3});
  std::vector<Action> all;
  for (int i = 0; i < 3; ++i) all.push_back(borrow());
  desk.change({.size_max = 2}, false, now_);
  EXPECT_TRUE(take(Kind::close).empty()) << "running work goes on";
  desk.give_back(all[0].id, true, now_);
  EXPECT_EQ(take(Kind::close).at(0).cause, CloseCause::surplus);
  desk.change({.size_max = 2}, true, now_);
  desk.give_back(all[1].id, true, now_);
  EXPECT_EQ(take(Kind::close).at(0).cause, CloseCause::changed);
  EXPECT_NE(borrow().id, all[1].id);
}

TEST_F(DeskTest, AShutDownDeskRefusesAndClosesWhatComesBack) {
  auto& desk = start({.size_max = 1});
  const auto held = borrow();
  (void)desk.ask(now_);
  desk.shut_down(now_);
  EXPECT_EQ(take(Kind::refuse).at(0).refusal, Refusal::shutting_down);
  desk.give_back(held.id, true, now_);
  EXPECT_EQ(take(Kind::close).at(0).cause, CloseCause::shutdown);
  (void)desk.ask(now_);
  EXPECT_EQ(take(Kind::refuse).at(0).refusal, Refusal::shutting_down);
  EXPECT_EQ(desk.next_tick(), std::nullopt);
}

/// The desk against a plain book-keeping of what it said.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), desk_(policy_, seed, now_) { follow(); }

  void step() {
    now_ += std::chrono::microseconds(below(2000));
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        ask();
        break;
      case 3:
      case 4:
      case 5:
        give_back();
        break;
      case 6:
      case 7:
      case 8:
        finish_connect();
        break;
      case 9:
        if (!waiting_.empty() && below(4) == 0) leave();
        break;
      case 10:
        now_ += std::chrono::milliseconds(below(5) == 0 ? below(40'000) : below(200));
        desk_.tick(now_);
        break;
      default:
        if (below(200) == 0) change();
        if (below(100) == 0) server_up_ = !server_up_;
        break;
    }
    follow();
    // As the pool's janitor does, who sleeps until then.
    if (desk_.next_tick() && *desk_.next_tick() <= now_) {
      desk_.tick(now_);
      follow();
    }
    check();
  }
  [[nodiscard]] std::int64_t grants() const { return grants_; }
  [[nodiscard]] std::int64_t refusals() const { return refusals_; }

 private:
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }

  void ask() {
    const auto ticket = desk_.ask(now_);
    ASSERT_GT(ticket, newest_);
    newest_ = ticket;
    waiting_.insert(ticket);
  }

  void give_back() {
    if (in_use_.empty()) return;
    const auto held = std::next(in_use_.begin(), below(static_cast<std::int64_t>(in_use_.size())));
    const auto [id, grant] = *held;
    in_use_.erase(held);
    if (grant.check && below(3) == 0) {
      serves_on_ = false;
      waiting_.insert(grant.ticket);
      closing_.insert(id);
      return desk_.check_failed(grant.ticket, id, now_);
    }
    const bool reusable = server_up_ ? below(20) > 0 : below(2) > 0;
    serves_on_ = reusable && failing_;
    if (reusable) {
      idle_.push_back(id);
    } else {
      closing_.insert(id);
    }
    desk_.give_back(id, reusable, now_);
  }

  void finish_connect() {
    if (connecting_.empty()) return;
    const auto id =
        *std::next(connecting_.begin(), below(static_cast<std::int64_t>(connecting_.size())));
    connecting_.erase(id);
    if (server_up_ ? below(30) > 0 : below(30) == 0) {
      idle_.push_back(id);
      failing_ = serves_on_ = false;
      return desk_.connected(id, now_);
    }
    failing_ = true;
    static constexpr ConnectFailure kFailures[] = {
        ConnectFailure::unreachable, ConnectFailure::unreachable, ConnectFailure::too_many_clients,
        ConnectFailure::authentication};
    desk_.connect_failed(id, kFailures[below(4)], now_);
  }

  void leave() {
    const auto ticket =
        *std::next(waiting_.begin(), below(static_cast<std::int64_t>(waiting_.size())));
    ASSERT_TRUE(desk_.leave(ticket));
    waiting_.erase(ticket);
  }

  void change() {
    policy_.size_max = static_cast<std::int32_t>(1 + below(12));
    policy_.size_min = static_cast<std::int32_t>(below(policy_.size_max + 1));
    policy_.connects_max = static_cast<std::int32_t>(1 + below(4));
    policy_.waiters_max = static_cast<std::int32_t>(1 + below(30));
    desk_.change(policy_, below(2) == 0, now_);
  }

  /// Plays what the desk decided against the books.
  void follow() {
    std::vector<Action> decided;
    desk_.take_actions(decided);
    for (const auto& action : decided) {
      switch (action.kind) {
        case Kind::grant:
          ASSERT_FALSE(waiting_.empty());
          ASSERT_EQ(action.ticket, *waiting_.begin()) << "out of turn";
          ASSERT_FALSE(idle_.empty());
          ASSERT_EQ(action.id, idle_.back()) << "not the warmest";
          waiting_.erase(waiting_.begin());
          idle_.pop_back();
          in_use_.emplace(action.id, action);
          ++grants_;
          break;
        case Kind::refuse:
          ASSERT_EQ(waiting_.erase(action.ticket), 1U) << "refused twice, or after its grant";
          ++refusals_;
          break;
        case Kind::connect:
          ASSERT_TRUE(ids_.insert(action.id).second);
          connecting_.insert(action.id);
          break;
        case Kind::close:
          if (closing_.erase(action.id) == 0) {
            const auto found = std::find(idle_.begin(), idle_.end(), action.id);
            ASSERT_NE(found, idle_.end()) << "closed what is not idle";
            idle_.erase(found);
          }
          break;
      }
    }
    ASSERT_TRUE(closing_.empty()) << "a broken one was not closed";
  }

  void check() {
    const auto numbers = desk_.numbers();
    ASSERT_EQ(numbers.in_use, static_cast<std::int32_t>(in_use_.size()));
    ASSERT_EQ(numbers.idle, static_cast<std::int32_t>(idle_.size()));
    ASSERT_EQ(numbers.connecting, static_cast<std::int32_t>(connecting_.size()));
    ASSERT_EQ(numbers.waiting, static_cast<std::int32_t>(waiting_.size()));
    const auto spoken_for = numbers.in_use + numbers.idle + numbers.connecting;
    if (spoken_for > policy_.size_max) {
      ASSERT_EQ(numbers.idle, 0) << "only what is at work may be beyond the size";
    }
    ASSERT_TRUE(waiting_.empty() || idle_.empty()) << "somebody waits beside an idle one";
    const bool missing = !waiting_.empty() || spoken_for < policy_.size_min;
    if (missing && spoken_for < policy_.size_max && connecting_.empty()) {
      ASSERT_TRUE(desk_.next_tick()) << "nothing will ever happen for who waits";
      ASSERT_GT(*desk_.next_tick(), now_);
    }
    if (desk_.breaker() != Breaker::closed) {
      ASSERT_TRUE(waiting_.empty() || (serves_on_ && !in_use_.empty()));
      ASSERT_LE(connecting_.size(), 12U);
    }
  }

  std::mt19937_64 random_;
  Time now_ = at(0ms);
  Policy policy_{.size_min = 1, .size_max = 6, .waiters_max = 20};
  Desk desk_;
  bool server_up_ = true;
  bool failing_ = false;
  bool serves_on_ = false;
  Ticket newest_ = 0;
  std::set<Ticket> waiting_;
  std::vector<Id> idle_;
  std::map<Id, Action> in_use_;
  std::set<Id> connecting_;
  std::set<Id> closing_;
  std::set<Id> ids_;
  std::int64_t grants_ = 0;
  std::int64_t refusals_ = 0;
};

TEST(DeskModelTest, AMillionRandomStepsKeepEveryInvariant) {
  std::int64_t grants = 0;
  std::int64_t refusals = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int i = 0; i < 50'000; ++i) {
      model.step();
      if (testing::Test::HasFatalFailure()) FAIL() << "at step " << i;
    }
    grants += model.grants();
    refusals += model.refusals();
  }
  EXPECT_GT(grants, 50'000);
  EXPECT_GT(refusals, 5'000);
}

}  // namespace
}  // namespace pantryd::pool
