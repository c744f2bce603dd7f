// Folders and servers that are not as they should be: one line that says what is wrong, one that
// says what to do, the right exit code, and a database as it was.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/support/migrate_database.h"

namespace pantryd::migrate {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using namespace testing_support;

constexpr UserId kNobody{65534, 65534};
constexpr auto kNoHang = seconds(20);
const std::string kUp = "-- migrate:up\n";

/// A database in which one migration is applied, and a folder to which bad ones are added. A second
/// good one waits: it may not run before a bad one behind it is found out.
class InputTest : public testing::Test {
 protected:
  InputTest()
      : where_(fresh_database("input")),
        folder_(folder_of("input", {{"001_good.sql", kUp + "CREATE TABLE good (a int);\n"}})) {
    EXPECT_EQ(up().exit_code, 0);
    put("002_waits.sql", kUp + "CREATE TABLE waits (a int);\n");
    before_ = state();
  }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const {
    return std::filesystem::path(folder_) / name;
  }
  void put(const std::string& name, const std::string& text) const {
    write_file_atomically(path(name), text);
  }
  [[nodiscard]] ChildResult up() const {
    return pantryd_run({"migrate", "up", "--dir", folder_}, where_);
  }
  [[nodiscard]] std::vector<std::string> state() const {
    auto connection = connect(where_);
    auto out = read_catalogue(connection, soon());
    const auto rows = connection.exec("SELECT m::text FROM pantryd.migrations m", soon());
    for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
    return out;
  }
  void expect_refusal(const ChildResult& result, int code, const std::string& text) const {
    EXPECT_FALSE(result.timed_out);
    ASSERT_EQ(result.exit_code, code) << result.output;
    EXPECT_THAT(result.output, MatchesRegex("pantryd: [^\n]+\nHINT: [^\n]+\n"));
    EXPECT_THAT(result.output, HasSubstr(text));
    EXPECT_EQ(state(), before_);
  }
  /// With this entry in the folder nothing runs; without it, `up` is as ready as before.
  void expect_refused(const std::string& name, const std::string& text) const {
    SCOPED_TRACE(name);
    const auto began = SteadyClock::now();
    expect_refusal(up(), 2, text);
    EXPECT_LT(SteadyClock::now() - began, kNoHang);
    std::filesystem::remove(path(name));
    const auto status = pantryd_run({"migrate", "status", "--check", "--dir", folder_}, where_);
    EXPECT_EQ(status.exit_code, 3) << status.output;
  }
  void expect_refused_file(const std::string& name, const std::string& content,
                           const std::string& text) const {
    put(name, content);
    expect_refused(name, text);
  }

  pg::Conninfo where_;
  std::string folder_;
  std::vector<std::string> before_;
};

TEST_F(InputTest, FilesWithNothingToRun) {
  expect_refused_file("003_x.sql", "", "003_x.sql has nothing to run");
  expect_refused_file("003_x.sql", " \n\t\n\n", "003_x.sql has nothing to run");
  expect_refused_file("003_x.sql", "-- later\n/* much later */\n", "003_x.sql has nothing to run");
  expect_refused_file("003_x.sql", kUp + "-- later\n\n", "003_x.sql has nothing to run");
  expect_refused_file("003_x.sql", kUp + "/* later\n*/ ;\n", "nothing to run but comments");
  expect_refused_file("003_x.sql", "SELECT 1;\n", "there is SQL above the first section");
  expect_refused_file("R_x.sql", "", "R_x.sql has nothing to run");
}

TEST_F(InputTest, FilesThatAreNotText) {
  expect_refused_file("003_x.sql", kUp + std::string("SELECT\0 1;", 10),
                      "003_x.sql:2: byte 21 of the file is not UTF-8");
  expect_refused_file("003_x.sql", kUp + "\nSELECT 'caf\xE9';\n", "003_x.sql:3: byte ");
  expect_refused_file("003_x.sql", std::string("\xFF\xFE-\0-\0", 6), "003_x.sql:1: byte 1 ");
  expect_refused_file("003_x.sql", kUp + "SELECT '\xED\xA0\x80';\n", "is not UTF-8 text");
  expect_refused_file("003_x.sql", kUp + "SELECT '\xC0\xAF';\n", "is not UTF-8 text");
}

TEST_F(InputTest, NamesThatAreNotOnes) {
  for (const std::string name :
       {"x.sql", "003.sql", "003x.sql", "-3_x.sql", "+3_x.sql", " 003_x.sql", "0x3_x.sql", ".sql",
        "._003_x.sql", "r_x.sql", "R_.sql", "003_x.SQL", "003_x.Sql", "003_a\nb.sql",
        "003_caf\xE9.sql"}) {
    expect_refused_file(name, kUp + "SELECT 1;\n", "is not named like a migration");
  }
  for (const std::string name : {"9223372036854775808_x.sql", "99999999999999999999999_x.sql"}) {
    expect_refused_file(name, kUp + "SELECT 1;\n", "the number of " + name + " is too large");
  }
  expect_refused_file("1_again.sql", kUp + "SELECT 1;\n",
                      "001_good.sql and 1_again.sql have the same number");
}

TEST_F(InputTest, TheLargestNumberAndOddButSoundNamesWork) {
  put("9223372036854775807_last.sql", kUp + "SELECT 1;\n");
  put("003_it's \"odd\"; DROP TABLE good --.sql", kUp + "SELECT 1;\n");
  put("004_größe.sql", kUp + "SELECT 'größe';\n");
  put("notes.txt", "no migration");
  put(".005_x.sql.swp", "no migration");
  put("005_x.sql.orig", "no migration");
  const auto result = up();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(connect(where_)
                .exec("SELECT count(*) FROM pantryd.migrations WHERE state = 'done'", soon())
                .i64(0, 0),
            5);
}

TEST_F(InputTest, ThingsThatAreNoFiles) {
  std::filesystem::create_directory(path("003_folder.sql"));
  expect_refused("003_folder.sql", "003_folder.sql is not a regular file");
  ASSERT_EQ(::mkfifo(path("003_fifo.sql").c_str(), 0644), 0);
  expect_refused("003_fifo.sql", "003_fifo.sql is not a regular file");
  std::filesystem::create_symlink("/dev/zero", path("003_device.sql"));
  expect_refused("003_device.sql", "003_device.sql is not a regular file");
  std::filesystem::create_symlink("nowhere", path("003_dangling.sql"));
  expect_refused("003_dangling.sql", "003_dangling.sql: No such file or directory");
  std::filesystem::create_symlink("003_loop.sql", path("003_loop.sql"));
  expect_refused("003_loop.sql", "003_loop.sql: Too many levels of symbolic links");
  expect_refused_file("003_huge.sql", kUp + std::string((16U << 20U) + 1, ' '),
                      "003_huge.sql: larger than");
}

TEST_F(InputTest, FilesAndFoldersThatMayNotBeRead) {
  const auto as_nobody = [&] {
    auto spec = pantryd_child({"migrate", "up", "--dir", folder_}, where_);
    if (::geteuid() == 0) spec.run_as = kNobody;
    return run_child(spec, Deadline::in(kNoHang));
  };
  put("003_secret.sql", kUp + "SELECT 1;\n");
  ::chmod(path("003_secret.sql").c_str(), 0);
  expect_refusal(as_nobody(), 2, "003_secret.sql: Permission denied");
  ::chmod(folder_.c_str(), 0);
  expect_refusal(as_nobody(), 2, folder_ + ": Permission denied");
  ::chmod(folder_.c_str(), 0755);
}

TEST_F(InputTest, FoldersThatAreMissingEmptyOrNotNamed) {
  const auto in = [&](const std::string& folder) {
    return pantryd_run({"migrate", "up", "--dir", folder}, where_);
  };
  expect_refusal(in(folder_ + "/nowhere"), 2, "nowhere: No such file or directory");
  expect_refusal(in(folder_ + "/001_good.sql"), 2, "001_good.sql: Not a directory");
  expect_refusal(in(folder_of("empty", {{"README", "none yet"}})), 2, "there are no migrations in");
  // As "--dir $UNSET" does; the migrations of the binary were not meant.
  expect_refusal(pantryd_run({"migrate", "up", "--dir", ""}, where_), 2, "--dir");
  expect_refusal(pantryd_run({"migrate", "up", "--dir="}, where_), 2, "--dir");
}

TEST_F(InputTest, AFileThatChangedAfterItWasAppliedIsDriftAndNothingRuns) {
  const auto sound = read_file(path("001_good.sql"));
  put("001_good.sql", kUp + "CREATE TABLE good (a bigint);\n");
  expect_refusal(up(), 4, "001_good was edited after it was applied");
  std::filesystem::remove(path("001_good.sql"));
  expect_refusal(up(), 4, "001_good was applied, but its file is missing");
  put("001_good.sql", sound);
  EXPECT_EQ(up().exit_code, 0);
}

TEST_F(InputTest, AFileIsReadOnceSoAChangeDuringTheRunDoesNotReachTheDatabase) {
  auto connection = connect(where_);
  RunnerOptions options;
  options.before_step = [&](std::string_view what) {
    if (what == "open run") put("002_waits.sql", kUp + "CREATE TABLE other (a int);\n");
  };
  EXPECT_EQ(bring_up(connection, load_folder(folder_), options).size(), 1U);
  EXPECT_TRUE(
      connection
          .exec("SELECT to_regclass('waits') IS NOT NULL AND to_regclass('other') IS NULL", soon())
          .boolean(0, 0));
  // What was recorded is what was run: the new text is an edit.
  EXPECT_THAT(up().output, HasSubstr("002_waits was edited after it was applied"));
}

TEST_F(InputTest, MarksAndLineEndsOfWindowsAreTheSameFileAndBlanksInsideAStringAreKept) {
  put("003_text.sql", kUp + "CREATE TABLE text (a text DEFAULT 'two  \nlines');\n");
  EXPECT_EQ(up().exit_code, 0);
  put("003_text.sql",
      "\xEF\xBB\xBF-- migrate:up\r\nCREATE TABLE text (a text DEFAULT 'two  \r\nlines');  "
      "\r\n\r\n");
  const auto status = pantryd_run({"migrate", "status", "--check", "--dir", folder_}, where_);
  EXPECT_EQ(status.exit_code, 0) << status.output;
  put("004_windows.sql",
      "\xEF\xBB\xBF-- migrate:no-transaction\r\n-- migrate:up\r\nCREATE TABLE windows "
      "(a text DEFAULT 'two  \r\nlines');\r\nCREATE INDEX CONCURRENTLY i ON windows (a);\r\n");
  const auto result = up();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  auto connection = connect(where_);
  for (const auto* table : {"text", "windows"}) {
    connection.exec(std::string("INSERT INTO ") + table + " DEFAULT VALUES", soon());
    EXPECT_EQ(connection.exec(std::string("SELECT a FROM ") + table, soon()).text(0, 0),
              "two  \nlines");
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kMemoryLimitKb = 16 * 1024 * 1024;  // a sanitizer's shadow is not our memory
#else
constexpr long kMemoryLimitKb = 512 * 1024;  // measured: 90 and 160 MB, 0.4 s and 3.7 s
#endif

/// The largest of all children so far, which is ours unless it is well below the limit anyway.
long largest_child_kb() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

TEST_F(InputTest, TenMegabytesInOneStatementAndInManyTakeSecondsAndLittleMemory) {
  constexpr std::size_t kBytes = 10'000'000;
  constexpr auto kTimeLimit = seconds(100);
  const std::string filler(40, 'x');
  std::string one = kUp + "CREATE TABLE one (a int, b text);\nINSERT INTO one VALUES (0, '')";
  for (int i = 1; one.size() < kBytes; ++i)
    one += ",\n(" + std::to_string(i) + ", '" + filler + "')";
  std::string many = kUp + "CREATE TABLE many (a int, b text);\n";
  int rows = 0;
  for (; many.size() < kBytes; ++rows) {
    many += "INSERT INTO many VALUES (" + std::to_string(rows) + ", '" + filler + "');\n";
  }
  put("003_one.sql", one + ";\n");
  put("004_many.sql", many);
  const auto began = SteadyClock::now();
  const auto result = up();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_LT(SteadyClock::now() - began, kTimeLimit) << result.output;
  EXPECT_LT(largest_child_kb(), kMemoryLimitKb);
  auto connection = connect(where_);
  EXPECT_GT(connection.exec("SELECT count(*) FROM one", soon()).i64(0, 0), 100'000);
  EXPECT_EQ(connection.exec("SELECT count(*) FROM many", soon()).i64(0, 0), rows);
}

TEST_F(InputTest, ARoleThatMayNotMakeTheHistoryIsToldWhatItLacks) {
  auto admin = connect(where_);
  admin.exec_script(
      "DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN PASSWORD 'limited-test';"
      "DROP SCHEMA pantryd CASCADE",
      soon());
  const auto passfile = scratch_dir() / "limited.pgpass";
  write_file_atomically(passfile, "*:*:*:limited:limited-test\n", 0600);
  const auto limited = where_.with("user", "limited").with("passfile", passfile.string());
  const auto catalogue = read_catalogue(admin, soon());
  const auto result = pantryd_run({"migrate", "up", "--dir", folder_}, limited);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output,
              MatchesRegex("pantryd: the history [^\n]+ permission denied for "
                           "database input[^\n]*\nHINT: [^\n]*GRANT CREATE[^\n]*\n"));
  EXPECT_EQ(read_catalogue(admin, soon()), catalogue);
  // A role that may not read it is not told that nothing was applied.
  admin.exec_script("CREATE SCHEMA pantryd; CREATE TABLE pantryd.migrations (id text)", soon());
  EXPECT_EQ(pantryd_run({"migrate", "status", "--dir", folder_}, limited).exit_code, 1);
  admin.exec_script("DROP SCHEMA pantryd CASCADE; GRANT CREATE ON DATABASE input TO limited",
                    soon());
  const auto owner = pantryd_run({"migrate", "up", "--dir", folder_, "--to", "1"}, limited);
  EXPECT_THAT(owner.output, Not(HasSubstr("the history of migrations cannot be made")));
  admin.exec_script("DROP OWNED BY limited CASCADE; DROP ROLE limited", soon());
}

TEST_F(InputTest, AMissingDatabaseIsNamed) {
  const auto result =
      pantryd_run({"migrate", "up", "--dir", folder_}, where_.with("dbname", "nowhere"));
  expect_refusal(result, 8, "database \"nowhere\" does not exist");
  EXPECT_THAT(result.output, HasSubstr("HINT: Create the database"));
}

TEST_F(InputTest, AStandbyAndAReadOnlyDatabaseAreRefusedWithoutATrace) {
  expect_refusal(pantryd_run({"migrate", "up", "--dir", folder_}, shared_sandbox().standby()), 1,
                 "is a read-only standby\nHINT: Migrate its primary");
  auto admin = connect(where_);
  admin.exec("ALTER DATABASE input SET default_transaction_read_only = on", soon());
  expect_refusal(up(), 1, "are read-only\nHINT: Look at default_transaction_read_only");
  admin.exec("ALTER DATABASE input RESET default_transaction_read_only", soon());
  EXPECT_EQ(up().exit_code, 0);
}

}  // namespace
}  // namespace pantryd::migrate
