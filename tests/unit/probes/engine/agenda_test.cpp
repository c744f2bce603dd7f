// Whose turn it is: without a server, a thread or a clock.
#include "probes/engine/agenda.h"

#include <gmock/gmock.h>

namespace pantryd::probes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class AgendaTest : public testing::Test {
 protected:
  Entry& add(const std::string& name, const std::string& database = "", Lane lane = Lane::cluster,
             milliseconds interval = seconds(10)) {
    return agenda_.add(lane, name, database, interval, nullptr, now_);
  }
  /// The name of the one whose turn it is; "" for none.
  std::string take(const std::string& database = "", Lane lane = Lane::cluster) {
    taken_ = agenda_.take_due(lane, database, now_, seconds(1), next_);
    return taken_ == nullptr ? "" : taken_->state->name;
  }
  void give_back(Entry& entry) {
    auto state = std::make_shared<ProbeState>(*entry.state);
    ++state->runs[0];
    agenda_.give_back(entry, std::move(state), now_);
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& state : agenda_.states()) out.push_back(state->name + "@" + state->database);
    return out;
  }

  Agenda agenda_;
  SteadyClock::time_point now_ = SteadyClock::now();
  SteadyClock::time_point next_;
  Entry* taken_ = nullptr;
};

TEST_F(AgendaTest, WhoWaitedLongestGoesFirst) {
  add("young").due = now_ - seconds(1);
  add("old").due = now_ - seconds(3);
  add("later").due = now_ + milliseconds(300);
  EXPECT_EQ(take(), "old");
  EXPECT_EQ(take(), "young");
  EXPECT_EQ(take(), "");
  EXPECT_EQ(next_, now_ + milliseconds(300));
}

TEST_F(AgendaTest, NoneIsTakenTwiceAtATimeAndLanesDoNotMix) {
  add("a");
  add("local", "", Lane::local);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "");
  EXPECT_EQ(next_, now_ + seconds(1)) << "a nap, for nothing else is to come";
  EXPECT_EQ(take("", Lane::local), "local");
}

TEST_F(AgendaTest, WhoNeedsTheDatabaseThatWeAreInGoesBeforeWhoWaitedLonger) {
  add("far", "one", Lane::database).due = now_ - seconds(60);
  add("here", "two", Lane::database).due = now_ - seconds(1);
  add("here too", "two", Lane::database).due = now_ - seconds(2);
  EXPECT_EQ(take("two", Lane::database), "here too");
  EXPECT_EQ(take("two", Lane::database), "here");
  EXPECT_EQ(take("two", Lane::database), "far");
}

TEST_F(AgendaTest, LateIsLateAndOnTimeKeepsItsGrid) {
  const auto began = now_;
  auto& entry = add("a");
  ASSERT_EQ(take(), "a");
  now_ += seconds(2);
  give_back(entry);
  EXPECT_EQ(entry.due, began + seconds(10)) << "from when it was due, not from when it ended";
  now_ = began + seconds(45);
  ASSERT_EQ(take(), "a");
  give_back(entry);
  EXPECT_EQ(entry.due, now_ + seconds(10)) << "three turns were missed, and none is made up for";
}

TEST_F(AgendaTest, HurryBringsForwardWhatNeedsTheServerAndDoesNotRun) {
  add("runs");
  ASSERT_EQ(take(), "runs");
  auto& runs = *taken_;
  runs.due = now_ + seconds(5);
  auto& waits = add("waits");
  waits.due = now_ + seconds(5);
  auto& local = add("local", "", Lane::local);
  local.due = now_ + seconds(5);
  agenda_.hurry(now_);
  EXPECT_EQ(waits.due, now_);
  EXPECT_EQ(runs.due, now_ + seconds(5));
  EXPECT_EQ(local.due, now_ + seconds(5));
}

TEST_F(AgendaTest, UnrunAreThoseThatNeverRan) {
  auto& first = add("first");
  add("second");
  EXPECT_EQ(agenda_.take_unrun(Lane::cluster), &first);
  give_back(first);
  EXPECT_EQ(agenda_.take_unrun(Lane::cluster)->state->name, "second");
  EXPECT_EQ(agenda_.take_unrun(Lane::cluster), nullptr);
}

TEST_F(AgendaTest, DatabasesThatAreGoneTakeTheirEntriesWithThemAndNoOthers) {
  add("up");
  add("sizes", "a", Lane::database);
  add("sizes", "b", Lane::database);
  agenda_.keep_databases({"b", "c"});
  EXPECT_THAT(names(), ElementsAre("up@", "sizes@b"));
  agenda_.keep_databases({});
  EXPECT_THAT(names(), ElementsAre("up@"));
}

TEST_F(AgendaTest, WhatWasKnownBeforeIsShownUntilItHasRunAgain) {
  ProbeState before;
  before.outcome = Outcome::ok;
  before.rows = 7;
  const auto& entry = agenda_.add(Lane::cluster, "a", "", seconds(5), &before, now_);
  EXPECT_EQ(entry.state->rows, 7);
  EXPECT_EQ(entry.state->interval, seconds(5));
  EXPECT_EQ(entry.due, now_) << "and it runs at once";
}

}  // namespace
}  // namespace pantryd::probes
