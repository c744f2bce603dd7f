// Errors, units, files and child processes of daemon/base.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/deadline.h"
#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "base/subprocess.h"
#include "base/units.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ErrorTest, IsOneLinePlusAHint) {
  const Error error(ExitCode::usage, "first\n  second", "Do\nthis.");
  EXPECT_EQ(error.render(), "pantryd: first second\nHINT: Do this.\n");
}

TEST(ErrorTest, WithoutAHintThereIsNoHintLine) {
  EXPECT_EQ(Error(ExitCode::failed, "broken").render(), "pantryd: broken\n");
}

TEST(NearestTest, FindsTheWordWithTheSmallestDistance) {
  EXPECT_EQ(edit_distance("seed", "seed"), 0U);
  EXPECT_EQ(edit_distance("sead", "seed"), 1U);
  EXPECT_EQ(edit_distance("", "seed"), 4U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(nearest("sead", {"check", "seed", "serve"}), "seed");
  EXPECT_EQ(nearest("nonsense", {"check", "seed", "serve"}), "") << "too far from all of them";
  EXPECT_EQ(nearest("foo", {"load"}), "") << "too much of a short word";
  EXPECT_EQ(nearest("seed", {}), "");
}

TEST(UnitsTest, ADurationNeedsAUnit) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("2h"), std::chrono::hours(2));
  for (const char* bad : {"", "5", "s", "-1s", "5 parsecs", "1e9d", "5s5"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(UnitsTest, SizesArePowersOf1024) {
  EXPECT_EQ(parse_size_bytes("16MB"), 16 << 20);
  EXPECT_EQ(parse_size_bytes("8192"), 8192);
  EXPECT_EQ(parse_size_bytes("16 elephants"), std::nullopt);
}

TEST(UnitsTest, DurationsReadAsPeopleSayThem) {
  EXPECT_EQ(format_duration(milliseconds(12)), "12ms");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1.5s");
  EXPECT_EQ(format_duration(seconds(125)), "2m 5s");
  EXPECT_EQ(format_duration(seconds(90'000)), "1d 1h");
}

TEST(UnitsTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_count(-1234), "-1,234");
}

TEST(FileTest, AnAtomicWriteReplacesTheWholeFileAndLeavesNoTemporary) {
  const auto folder = std::filesystem::temp_directory_path() / "pantryd-file-test";
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / "a", "first, and long");
  write_file_atomically(folder / "a", "second");
  EXPECT_EQ(read_file(folder / "a"), "second");
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++files;
  EXPECT_EQ(files, 1);
  std::filesystem::remove_all(folder);
}

TEST(FileTest, AFullDiskLeavesTheOldContent) {
  // /dev/full answers every write with ENOSPC.
  EXPECT_THROW(write_file_atomically("/proc/nowhere/file", "x"), Error);
}

TEST(SubprocessTest, TellsTheExitCodeAndTheOutput) {
  const auto result =
      run_child({{"sh", "-c", "echo out; echo err >&2; exit 3"}}, Deadline::in(seconds(10)));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
}

// A child that wrote and ended between a look at the pipe and one at the child was heard to have
// said nothing. Looks are 50 ms apart; these children end about then.
TEST(SubprocessTest, TheLastWordsOfAChildAreHeardWheneverItEnds) {
  std::atomic<int> silent{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 8; ++k) {
        const auto pause = fmt::format("sleep 0.0{}; echo heard", 44 + (8 * k + i) % 10);
        const auto result = run_child({{"sh", "-c", pause}}, Deadline::in(seconds(30)));
        if (result.output != "heard\n") ++silent;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(silent, 0);
}

TEST(SubprocessTest, TheWallClockKillsTheWholeGroup) {
  const auto began = SteadyClock::now();
  const auto result =
      run_child({{"sh", "-c", "sleep 60 & sleep 60"}}, Deadline::in(milliseconds(200)));
  EXPECT_TRUE(result.timed_out);
  EXPECT_LT(SteadyClock::now() - began, seconds(10));
}

TEST(SubprocessTest, AMissingProgramIsNamed) {
  try {
    (void)run_child({{"no-such-program"}}, Deadline::in(seconds(1)));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("no-such-program"));
  }
}

TEST(SubprocessTest, AStopRequestEndsTheChild) {
  StopFlag stop;
  stop.request();
  EXPECT_TRUE(run_child({{"sleep", "60"}}, Deadline::in(seconds(60)), &stop).stopped);
}

}  // namespace
}  // namespace pantryd
