// The readers of probes/backup against what the real pg_dump and pg_basebackup leave behind,
// finished, killed, piped and cut.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "pg/connection.h"
#include "probes/backup/backup_probe.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;

class BackupToolsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Made before the deadline begins to run.
    const auto where = shared_sandbox().primary();
    auto primary = pg::Connection::connect(where, Deadline::in(seconds(10)));
    primary.exec(
        "CREATE TABLE IF NOT EXISTS big AS SELECT g, md5(g::text) AS text FROM generate_series(1, "
        "400000) g",
        Deadline::in(seconds(60)));
    primary.exec("CREATE TABLE IF NOT EXISTS empty (n int)", Deadline::in(seconds(5)));
    primary.exec("SELECT lo_from_bytea(0, 'hello')", Deadline::in(seconds(5)));
  }
  void SetUp() override {
    folder_ = scratch_dir() / "dumps";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    source_.name = "dumps";
    source_.path = folder_.string();
    source_.kind = find_backup_kind("pg_dump");
    source_.reader.settle_ms = milliseconds(0);
  }

  static std::string tool(const char* name) { return (shared_sandbox().bin_dir() / name).string(); }
  static std::string dsn() { return shared_sandbox().primary().reveal(); }
  static ChildSpec spec(std::vector<std::string> argv) {
    ChildSpec out;
    out.argv = std::move(argv);
    out.env = {"LC_ALL=C.UTF-8"};
    return out;
  }
  static void run(std::vector<std::string> argv) {
    const auto result = run_child(spec(std::move(argv)), Deadline::in(seconds(60)));
    ASSERT_TRUE(result.ok()) << result.tail();
  }
  void dump(const std::string& name, std::vector<std::string> options) {
    std::vector<std::string> argv{tool("pg_dump"), "-d", dsn(), "-f", (folder_ / name).string()};
    argv.insert(argv.end(), options.begin(), options.end());
    run(std::move(argv));
  }
  static void shell(const std::string& command) { run({"sh", "-c", command}); }
  void cut(const std::string& name, std::uintmax_t bytes) {
    fs::resize_file(folder_ / name, bytes);
  }
  /// By name, without a memory.
  BackupRecord find(const std::string& name) {
    const auto found = look_at(source_, Deadline::in(seconds(30)));
    EXPECT_TRUE(found.readable) << found.reason;
    for (const auto& record : found.records) {
      if (record.name == name) return record;
    }
    ADD_FAILURE() << name << " is not in the look";
    return {};
  }
  static std::uintmax_t bytes_under(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) return fs::file_size(path, ignored);
    std::uintmax_t sum = 0;
    for (fs::recursive_directory_iterator at(path, ignored), end; at != end;
         at.increment(ignored)) {
      if (at->is_regular_file(ignored)) sum += at->file_size(ignored);
    }
    return sum;
  }
  /// Again when the tool was faster than we were.
  void kill_half_way(const std::vector<std::string>& argv, const std::string& name) {
    for (int tries = 0; tries < 10; ++tries) {
      if (try_to_kill_half_way(argv, name)) return;
      fs::remove_all(folder_ / name);
    }
    FAIL() << name << " always ended before it could be killed";
  }
  /// Starts a tool, looks twice while it writes, kills it when it has written half a megabyte.
  bool try_to_kill_half_way(std::vector<std::string> argv, const std::string& name) {
    BackupProbe probe(source_);
    Child child(spec(std::move(argv)));
    const auto deadline = Deadline::in(seconds(60));
    bool looked = false;
    std::uintmax_t seen_bytes = 0;  // at the first look, at most
    // Until it has grown since that look too: on a slow machine the look itself may outlast the
    // half megabyte, and then there is nothing between the two for the second to see.
    while (bytes_under(folder_ / name) < std::max<std::uintmax_t>(1U << 19U, seen_bytes + 1)) {
      if (!child.running() || deadline.expired()) return false;
      if (!looked && bytes_under(folder_ / name) > 0) {
        looked = true;
        (void)probe.look(Deadline::in(seconds(10)));
        seen_bytes = bytes_under(folder_ / name);
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
    child.signal(SIGSTOP);
    if (!child.running()) return false;
    if (looked) {
      const auto found = probe.look(Deadline::in(seconds(10)));
      EXPECT_EQ(found.newest_state(), BackupState::running);
      EXPECT_EQ(found.newest_good(), nullptr);
    }
    child.signal(SIGKILL);
    return child.wait(Deadline::in(seconds(10))) == 128 + SIGKILL;
  }

  fs::path folder_;
  BackupSource source_;
};

TEST_F(BackupToolsTest, EveryFormatOfPgDumpIsRead) {
  const auto before = std::chrono::floor<seconds>(WallClock::now());
  dump("daily_backup_2026-11-22.sql", {"-Fp"});
  dump("weekly_backup_2026-11-22.dump", {"-Fc"});
  dump("plain_custom.dump", {"-Fc", "-Z0"});
  dump("dir_1", {"-Fd", "-j2"});
  dump("dir_2", {"-Fd", "-Z0"});
  dump("dump.tar", {"-Ft"});
  shell(tool("pg_dump") + " -d '" + dsn() + "' | gzip -1 > " + (folder_ / "a.sql.gz").string());
  shell(tool("pg_dump") + " -Fc -d '" + dsn() + "' | cat > " + (folder_ / "piped.dump").string());
  run({tool("pg_dumpall"), "-d", shared_sandbox().primary().with("dbname", "").reveal(), "-f",
       (folder_ / "cluster.sql").string()});
  const auto found = look_at(source_, Deadline::in(seconds(30)));
  EXPECT_EQ(found.records.size(), 9U);
  for (const auto& record : found.records) {
    EXPECT_EQ(record.state, BackupState::complete_unverified) << record.name << record.reason;
    EXPECT_GE(record.recovery_point, before) << record.name;
    EXPECT_LE(record.recovery_point, record.finished_at) << record.name;
    EXPECT_GT(record.size_bytes, 1000) << record.name;
  }
  EXPECT_EQ(find("weekly_backup_2026-11-22.dump").time_source, TimeSource::content);
  EXPECT_TRUE(judge_backup(source_, found, WallClock::now()).ok);
}

TEST_F(BackupToolsTest, WhatTheSandboxBacksUpIsFresh) {
  source_.path = shared_sandbox().dump_dir().string();
  auto found = look_at(source_, Deadline::in(seconds(30)));
  EXPECT_EQ(found.good_count(), 2U);
  source_.path = shared_sandbox().base_backup_dir().string();
  source_.kind = find_backup_kind("base");
  found = look_at(source_, Deadline::in(seconds(30)));
  EXPECT_EQ(found.good_count(), 1U);
  EXPECT_TRUE(judge_backup(source_, found, WallClock::now()).ok);
}

// pg_restore --list is content with every one of these.
TEST_F(BackupToolsTest, ACutDumpIsNeverGood) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds{
      {"a.sql", {"-Fp"}}, {"a.dump", {"-Fc"}}, {"a.tar", {"-Ft"}}};
  for (const auto& [name, options] : kinds) {
    dump(name, options);
    const auto size = fs::file_size(folder_ / name);
    // The last bytes of a plain dump are its \unrestrict line, and no data.
    const auto little = name == "a.sql" ? size - 200 : size - 1;
    for (const auto length : {little, size / 2, std::uintmax_t{5000}, std::uintmax_t{0}}) {
      cut(name, length);
      const auto record = find(name);
      EXPECT_TRUE(record.state == BackupState::partial || record.state == BackupState::failed)
          << name << " at " << length << ": " << to_string(record.state);
    }
  }
}

TEST_F(BackupToolsTest, APgDumpThatIsKilledHalfWayIsRunningAndThenPartial) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds{
      {"a.sql", {"-Fp"}}, {"a.dump", {"-Fc"}}, {"dir_1", {"-Fd"}}, {"dir_2", {"-Fd", "-Z0"}}};
  for (const auto& [name, options] : kinds) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::vector<std::string> argv{tool("pg_dump"), "-d", dsn(), "-f", (folder_ / name).string()};
    argv.insert(argv.end(), options.begin(), options.end());
    kill_half_way(argv, name);
    EXPECT_EQ(find(name).state, BackupState::partial) << name << ": " << find(name).reason;
  }
}

// It exits 0 in a shell without pipefail, and leaves a valid gzip of nothing.
TEST_F(BackupToolsTest, APipeFromAPgDumpThatFailedLeavesAFailedBackup) {
  const auto nowhere = shared_sandbox().primary().with("dbname", "nosuchdb").reveal();
  shell(tool("pg_dump") + " -d '" + nowhere + "' | gzip > " + (folder_ / "a.sql.gz").string());
  EXPECT_EQ(find("a.sql.gz").state, BackupState::failed);
  EXPECT_THAT(find("a.sql.gz").reason, HasSubstr("empty gzip"));
}

TEST_F(BackupToolsTest, ADeletedFileOfADirectoryDumpIsFound) {
  dump("dir_1", {"-Fd"});
  for (const auto& each : fs::directory_iterator(folder_ / "dir_1")) {
    const auto name = each.path().filename().string();
    if (name == "toc.dat" || name == "blobs.toc") continue;
    const auto aside = folder_ / "aside.tmp";
    fs::rename(each.path(), aside);
    EXPECT_EQ(find("dir_1").state, BackupState::partial) << name;
    fs::rename(aside, folder_ / "dir_1" / name);
  }
  EXPECT_EQ(find("dir_1").state, BackupState::complete_unverified);
}

class BaseToolsTest : public BackupToolsTest {
 protected:
  void SetUp() override {
    BackupToolsTest::SetUp();
    source_.kind = find_backup_kind("base");
  }
  [[nodiscard]] std::vector<std::string> command(const std::string& name,
                                                 std::vector<std::string> options) const {
    std::vector<std::string> argv{tool("pg_basebackup"),
                                  "-d",
                                  shared_sandbox().primary().with("dbname", "").reveal(),
                                  "-D",
                                  (folder_ / name).string(),
                                  "-c",
                                  "fast"};
    argv.insert(argv.end(), options.begin(), options.end());
    return argv;
  }
};

TEST_F(BaseToolsTest, PlainAndTarAreRead) {
  const auto before = std::chrono::floor<seconds>(WallClock::now());
  run(command("plain_1", {"-X", "stream"}));
  run(command("nowal_1", {"-X", "none", "--no-manifest"}));
  run(command("archived_1", {"-X", "none"}));
  run(command("tar_1", {"-Ft"}));
  run(command("targz_1", {"-Ft", "-z"}));
  for (const char* name : {"plain_1", "archived_1", "tar_1", "targz_1"}) {
    const auto record = find(name);
    EXPECT_EQ(record.state, BackupState::complete_unverified) << name << ": " << record.reason;
    EXPECT_EQ(record.time_source, TimeSource::label) << name;
    EXPECT_GE(record.recovery_point, before) << name;
    EXPECT_LE(record.recovery_point, WallClock::now()) << name;
  }
  EXPECT_EQ(find("plain_1").reason, "");
  EXPECT_THAT(find("archived_1").reason, HasSubstr("without WAL"));
  EXPECT_EQ(find("nowal_1").state, BackupState::partial) << "without a manifest nothing is proved";
  auto primary = pg::Connection::connect(shared_sandbox().primary(), Deadline::in(seconds(10)));
  const auto identifier =
      primary.exec("SELECT system_identifier FROM pg_control_system()", Deadline::in(seconds(5)));
  EXPECT_EQ(std::to_string(find("plain_1").system_identifier.value_or(0)), identifier.text(0, 0));
}

TEST_F(BaseToolsTest, OneThatIsKilledHalfWayIsRunningAndThenPartial) {
  kill_half_way(command("plain_1", {"--max-rate", "1M"}), "plain_1");
  EXPECT_EQ(find("plain_1").state, BackupState::partial);
  EXPECT_TRUE(look_at(source_, Deadline::in(seconds(10))).newest_attempt_failed());
}

TEST_F(BaseToolsTest, DamageThatLeavesTheManifestWholeIsFound) {
  run(command("plain_1", {}));
  const auto control = folder_ / "plain_1/global/pg_control";
  fs::resize_file(control, 100);
  EXPECT_THAT(find("plain_1").reason, HasSubstr("global/pg_control has 100 bytes"));
  fs::resize_file(control, 8192);
  EXPECT_EQ(find("plain_1").state, BackupState::complete_unverified) << "contents are the drill's";
  for (const auto& each : fs::directory_iterator(folder_ / "plain_1/pg_wal")) {
    // archive_status stays: a folder is no segment.
    if (each.is_regular_file()) fs::rename(each.path(), each.path().string() + ".moved");
  }
  EXPECT_THAT(find("plain_1").reason, HasSubstr("without WAL"));
}

}  // namespace
}  // namespace pantryd
