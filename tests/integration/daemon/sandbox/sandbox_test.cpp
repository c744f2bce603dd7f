// The private PostgreSQL: primary, standby, archive and backups, and how it ends.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <thread>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::within;

pg::Connection connect(const pg::Conninfo& where) {
  return pg::Connection::connect(where, Deadline::in(seconds(10)));
}

std::string scalar(pg::Connection& connection, const std::string& sql) {
  return std::string(connection.exec(sql, Deadline::in(seconds(10))).text(0, 0));
}

TEST(SandboxTest, AStandbyStreamsFromThePrimary) {
  auto primary = connect(shared_sandbox().primary());
  auto standby = connect(shared_sandbox().standby());
  EXPECT_EQ(scalar(primary, "SELECT pg_is_in_recovery()"), "f");
  EXPECT_EQ(scalar(standby, "SELECT pg_is_in_recovery()"), "t");
  primary.exec("CREATE TABLE streamed AS SELECT 42 AS n", Deadline::in(seconds(5)));
  EXPECT_TRUE(within(seconds(20), [&] {
    return scalar(standby, "SELECT count(*) FROM pg_class WHERE relname = 'streamed'") == "1";
  }));
  EXPECT_EQ(scalar(primary, "SELECT state FROM pg_stat_replication"), "streaming");
}

TEST(SandboxTest, WalSegmentsReachTheArchive) {
  auto primary = connect(shared_sandbox().primary());
  const auto segment =
      scalar(primary, "SELECT pg_walfile_name(pg_logical_emit_message(true, 'test', 'x'))");
  scalar(primary, "SELECT pg_switch_wal()");
  EXPECT_TRUE(within(seconds(20), [&] {
    return std::filesystem::exists(shared_sandbox().archive_dir() / segment);
  }));
}

TEST(SandboxTest, ItIsDurableAsAServerShouldBe) {
  auto primary = connect(shared_sandbox().primary());
  for (const char* setting : {"fsync", "synchronous_commit", "full_page_writes"}) {
    EXPECT_EQ(scalar(primary, std::string("SHOW ") + setting), "on") << setting;
  }
}

TEST(SandboxTest, ItHoldsABaseBackupAndDumpsUnderTheirFinalNames) {
  int bases = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(shared_sandbox().base_backup_dir())) {
    EXPECT_TRUE(std::filesystem::exists(entry.path() / "backup_manifest"));
    ++bases;
  }
  EXPECT_EQ(bases, 1);
  std::vector<std::string> dumps;
  for (const auto& entry : std::filesystem::directory_iterator(shared_sandbox().dump_dir())) {
    dumps.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(
      dumps, testing::UnorderedElementsAre(testing::MatchesRegex("daily_backup_....-..-...sql"),
                                           testing::MatchesRegex("weekly_backup_....-..-...dump")));
}

TEST(SandboxTest, APasswordIsNeededAndNoneIsInTheConnectionString) {
  EXPECT_EQ(shared_sandbox().primary().get("password"), "");
  try {
    (void)connect(shared_sandbox().primary().with("passfile", "/nonexistent"));
    FAIL() << "logged in without a password";
  } catch (const pg::PgError& error) {
    EXPECT_EQ(error.failure(), pg::Failure::refused);
  }
}

TEST(SandboxTest, ASecondOneInTheSameFolderIsRefused) {
  SandboxOptions options;
  options.dir = shared_sandbox().dir();
  try {
    (void)Sandbox::up(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("already runs"));
  }
  EXPECT_EQ(Sandbox::status(options.dir).state, SandboxState::running);
}

TEST(SandboxTest, APortInUseIsNamed) {
  SandboxOptions options;
  options.dir = scratch_dir() / "other";
  options.port = shared_sandbox().port();
  try {
    (void)Sandbox::up(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(options.port)));
  }
  EXPECT_FALSE(std::filesystem::exists(options.dir));
}

TEST(SandboxTest, AFolderThatIsNotOursIsNeitherUsedNorRemoved) {
  const auto folder = scratch_dir() / "precious";
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / "thesis.tex", "years of work");
  SandboxOptions options;
  options.dir = folder;
  EXPECT_THROW((void)Sandbox::up(options), Error);
  EXPECT_THROW(Sandbox::down(folder), Error);
  EXPECT_TRUE(std::filesystem::exists(folder / "thesis.tex"));
}

TEST(SandboxTest, NoServerProgramsIsAClearMessage) {
  SandboxOptions options;
  options.dir = scratch_dir() / "nobin";
  options.bin_dir = "/nonexistent";
  try {
    (void)Sandbox::up(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("initdb"));
    EXPECT_THAT(error.hint(), HasSubstr("--postgres"));
  }
}

TEST(SandboxTest, AStopRequestLeavesNothingBehind) {
  StopFlag stop;
  SandboxOptions options;
  options.dir = scratch_dir() / "stopped";
  // Half way, by what is on disk and not by the clock: the primary starts, the rest is to come.
  std::thread later([&] {
    EXPECT_TRUE(within(seconds(60), [&] {
      return std::filesystem::exists(options.dir / "primary/postmaster.pid");
    }));
    stop.request();
  });
  EXPECT_THROW((void)Sandbox::up(options, &stop), Error);
  later.join();
  EXPECT_FALSE(std::filesystem::exists(options.dir));
}

TEST(SandboxTest, AHalfMadeFolderDoesNotBlockTheNextStart) {
  SandboxOptions options;
  options.dir = scratch_dir() / "half";
  options.standby = false;
  options.backups = false;
  std::filesystem::create_directories(options.dir / "primary");
  write_file_atomically(options.dir / "sandbox.json",
                        R"({"format":"pantryd.sandbox","version":1,"state":"building","port":1})");
  EXPECT_EQ(Sandbox::status(options.dir).state, SandboxState::building);
  const auto sandbox = Sandbox::up(options);
  EXPECT_EQ(Sandbox::status(options.dir).state, SandboxState::running);
  EXPECT_TRUE(Sandbox::down(options.dir));
  EXPECT_FALSE(std::filesystem::exists(options.dir));
}

TEST(SandboxTest, AKilledPrimaryComesBackByCrashRecovery) {
  auto& sandbox = shared_sandbox();
  auto before = connect(sandbox.primary());
  sandbox.kill_primary();
  EXPECT_THROW(scalar(before, "SELECT 1"), pg::PgError);
  EXPECT_TRUE(before.broken());
  sandbox.start_primary();
  auto after = connect(sandbox.primary());
  EXPECT_EQ(scalar(after, "SELECT 1"), "1");
}

}  // namespace
}  // namespace pantryd
