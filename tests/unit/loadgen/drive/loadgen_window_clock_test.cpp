// The windows of a run: none spans two phases, and together they cover all of it.
#include <gmock/gmock.h>

#include <vector>

#include "loadgen/drive/window_clock.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Seen {
  Phase phase;
  std::int64_t second;
  std::int64_t end;
  bool ends_phase;
  bool operator==(const Seen&) const = default;
};

Seen seen(const WindowClock& clock) {
  return {clock.phase(), clock.second(), clock.end(), clock.ends_phase()};
}

TEST(WindowClockTest, ThePartsOfASecondAreAtTheEdgesOfAPhase) {
  WindowClock clock(kSecond * 3 / 2, kSecond * 4);  // 1.5 s of warm-up, 2.5 s measured
  std::vector<Seen> all;
  for (int i = 0; i < 7; ++i, clock.advance()) all.push_back(seen(clock));
  EXPECT_THAT(all, testing::ElementsAre(Seen{Phase::warmup, -2, kSecond / 2, false},
                                        Seen{Phase::warmup, -1, kSecond * 3 / 2, true},
                                        Seen{Phase::measured, 0, kSecond * 5 / 2, false},
                                        Seen{Phase::measured, 1, kSecond * 7 / 2, false},
                                        Seen{Phase::measured, 2, kSecond * 4, true},
                                        Seen{Phase::drain, 3, kSecond * 5, false},
                                        Seen{Phase::drain, 4, kSecond * 6, false}));
}

TEST(WindowClockTest, WithoutAWarmUpTheFirstWindowIsMeasured) {
  const WindowClock clock(0, kSecond * 2);
  EXPECT_EQ(seen(clock), (Seen{Phase::measured, 0, kSecond, false}));
}

TEST(WindowClockTest, ARunThatIsCutShortDrainsFromThatMomentOn) {
  WindowClock clock(0, kSecond * 30);
  clock.advance();
  clock.cut(kSecond * 3 / 2);
  EXPECT_EQ(seen(clock), (Seen{Phase::measured, 1, kSecond * 3 / 2, true}));
  clock.advance();
  EXPECT_EQ(seen(clock), (Seen{Phase::drain, 2, kSecond * 5 / 2, false}));
  clock.cut(kSecond * 2);  // again: the measured window has ended already
  EXPECT_EQ(seen(clock), (Seen{Phase::drain, 2, kSecond * 5 / 2, false}));
}

TEST(WindowClockTest, ARunThatIsCutShortInItsWarmUpMeasuresNothing) {
  WindowClock clock(kSecond * 5, kSecond * 30);
  clock.cut(kSecond / 4);
  EXPECT_EQ(seen(clock), (Seen{Phase::warmup, -5, kSecond / 4, true}));
  clock.advance();
  EXPECT_EQ(clock.phase(), Phase::drain);
  EXPECT_EQ(clock.second(), 0);
}

}  // namespace
}  // namespace pantryd::loadgen
