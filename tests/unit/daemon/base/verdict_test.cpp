// The order of verdicts and their exit codes, and the line that a broken assertion prints.
#include "base/verdict.h"

#include <gtest/gtest.h>

#include <array>

#include "base/assert.h"

namespace pantryd {
namespace {

constexpr std::array kAll = {Verdict::pass, Verdict::fail, Verdict::inconclusive, Verdict::invalid};

TEST(VerdictTest, OneFailMakesTheWholeFail) {
  for (const auto other : kAll) {
    EXPECT_EQ(worst(Verdict::fail, other), Verdict::fail);
    EXPECT_EQ(worst(other, Verdict::fail), Verdict::fail);
  }
}

TEST(VerdictTest, TheWholePassesOnlyWhereBothPass) {
  for (const auto a : kAll) {
    for (const auto b : kAll) {
      const bool both = a == Verdict::pass && b == Verdict::pass;
      EXPECT_EQ(worst(a, b) == Verdict::pass, both) << to_string(a) << " and " << to_string(b);
    }
  }
}

TEST(VerdictTest, ExitCodesSetApartWhatFailedAndWhatWasNotShown) {
  EXPECT_EQ(exit_code_of(Verdict::pass), ExitCode::ok);
  EXPECT_EQ(exit_code_of(Verdict::fail), ExitCode::failed);
  EXPECT_EQ(exit_code_of(Verdict::inconclusive), ExitCode::inconclusive);
  EXPECT_EQ(exit_code_of(Verdict::invalid), ExitCode::inconclusive);
}

TEST(VerdictTest, EveryWordIsReadBack) {
  for (const auto verdict : kAll) EXPECT_EQ(parse_verdict(to_string(verdict)), verdict);
  EXPECT_FALSE(parse_verdict("pass"));
  EXPECT_FALSE(parse_verdict(""));
}

TEST(AssertDeathTest, ABrokenInvariantEndsTheProcessWithOneLineThatNamesIt) {
  const int answer = 41;
  PANTRYD_ASSERT(answer == 41);
  EXPECT_DEATH(PANTRYD_ASSERT(answer == 42),
               "pantryd: .*verdict_test.cpp:[0-9]+: the invariant answer == 42 does not hold\n$");
}

}  // namespace
}  // namespace pantryd
