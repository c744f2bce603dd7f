// The migrations that ship with pantryd on a real server: the catalogue that they make, and what a
// failed one leaves.
#include "migrate/migrate.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "migrate/files/migration.h"
#include "pg/connection.h"
#include "tests/support/migrate_database.h"
#include "tests/support/places.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

std::vector<Migration> shipped_as_built() {
  auto all = embedded_migrations();
  all.resize(6);
  return all;
}

TEST(MigrateTest, TheSixMigrationsMakeTheCatalogueOfTheShopToTheLetter) {
  const auto where = fresh_database("golden");
  auto connection = connect(where);
  EXPECT_EQ(bring_up(connection, shipped_as_built()).size(), 6U);
  const std::string folder =
      std::string(places::source_dir) + "/tests/integration/daemon/migrate/golden/";
  const auto rows = connection.exec_script(read_file(folder + "catalogue.query.sql"), soon());
  std::string found;
  for (int i = 0; i < rows.rows(); ++i) found += std::string(rows.text(i, 0)) + "\n";
  EXPECT_EQ(found, read_file(folder + "catalogue.txt"));
}

TEST(MigrateTest, PgDumpShowsTheSameTablesAndNothingElseInPublic) {
  const auto where = fresh_database("dumped");
  auto connection = connect(where);
  (void)bring_up(connection, shipped_as_built());
  const auto dump = dump_of(where, {"--schema-only", "--schema=public"});
  int tables = 0;
  for (auto at = dump.find("CREATE TABLE"); at != std::string::npos;
       at = dump.find("CREATE TABLE", at + 1)) {
    ++tables;
  }
  EXPECT_EQ(tables, 6);
  EXPECT_THAT(dump, testing::Not(HasSubstr("pantryd")));
}

TEST(MigrateTest, ASecondRunHasNothingToDo) {
  auto connection = connect(fresh_database("twice"));
  (void)bring_up(connection, embedded_migrations());
  EXPECT_TRUE(bring_up(connection, embedded_migrations()).empty());
}

TEST(MigrateTest, AFailedMigrationLeavesNothingOfItselfAndKeepsTheEarlierOnes) {
  auto connection = connect(fresh_database("failing"));
  const std::vector<Migration> files{make("001_good", "CREATE TABLE good (a int);"),
                                     make("002_bad", "CREATE TABLE half (a int); SELECT 1/0;")};
  try {
    (void)bring_up(connection, files);
    FAIL();
  } catch (const pg::PgError& error) {
    EXPECT_THAT(error.what(), HasSubstr("002_bad.sql"));
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  const auto left = connection.exec(
      "SELECT to_regclass('good') IS NOT NULL, to_regclass('half') IS NULL", soon());
  EXPECT_TRUE(left.boolean(0, 0));
  EXPECT_TRUE(left.boolean(0, 1));
  const auto rows = status(connection, files, soon());
  EXPECT_EQ(rows[0].state, MigrationState::applied);
  EXPECT_EQ(rows[1].state, MigrationState::pending);
}

TEST(MigrateTest, AnEditedFileIsDriftAndNothingRuns) {
  auto connection = connect(fresh_database("edited"));
  (void)bring_up(connection, {make("001_a", "CREATE TABLE a (a int);")});
  try {
    (void)bring_up(connection, {make("001_a", "CREATE TABLE a (a bigint);"),
                                make("002_b", "CREATE TABLE b (a int);")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::drift);
    EXPECT_THAT(error.what(), HasSubstr("001_a"));
  }
  EXPECT_TRUE(connection.exec("SELECT to_regclass('b') IS NULL", soon()).boolean(0, 0));
}

TEST(MigrateTest, LineEndsAndTrailingBlanksAreNotAnEdit) {
  EXPECT_EQ(parse_file("001_a.sql", "-- migrate:up\nSELECT 1;\n").checksum,
            parse_file("001_a.sql", "\xEF\xBB\xBF-- migrate:up\r\nSELECT 1;  \r\n\r\n").checksum);
}

TEST(MigrateTest, AMissingFileIsDrift) {
  auto connection = connect(fresh_database("missing"));
  (void)bring_up(connection, {make("001_a", "CREATE TABLE a (a int);")});
  EXPECT_THROW((void)bring_up(connection, {make("002_b", "CREATE TABLE b (a int);")}), Error);
}

TEST(MigrateTest, EightRunnersAtOnceDoTheWorkOnce) {
  const auto where = fresh_database("crowd");
  std::vector<std::thread> threads;
  std::atomic<int> applied{0};
  std::atomic<int> failed{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        auto connection = connect(where);
        applied += static_cast<int>(bring_up(connection, embedded_migrations()).size());
      } catch (const std::exception& error) {
        ++failed;
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(applied, static_cast<int>(embedded_migrations().size()));
}

TEST(MigrateTest, AnotherRunnerThatDoesNotEndIsALockErrorNotAWait) {
  const auto where = fresh_database("locked");
  auto holder = connect(where);
  holder.exec("SELECT pg_advisory_lock(x'70616e74727964'::bigint)", soon());
  auto connection = connect(where);
  try {
    RunnerOptions options;
    options.lock_wait = milliseconds(300);
    (void)bring_up(connection, embedded_migrations(), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::lock);
  }
}

TEST(MigrateTest, StatusCheckTellsPendingBySetExitCode) {
  const auto dsn = fresh_database("codes").reveal();
  EXPECT_EQ(run_binary(places::binary, {"migrate", "status", "--check", "--dsn", dsn}).exit_code,
            3);
  EXPECT_EQ(run_binary(places::binary, {"migrate", "up", "--dsn", dsn}).exit_code, 0);
  EXPECT_EQ(run_binary(places::binary, {"migrate", "status", "--check", "--dsn", dsn}).exit_code,
            0);
}

TEST(MigrateTest, BadFoldersAreUsageErrorsThatNameTheFile) {
  const auto folder = scratch_dir() / "bad";
  std::filesystem::create_directories(folder);
  const auto refused = [&](const std::string& file, const std::string& text) {
    write_file_atomically(folder / file, text);
    std::string message = "accepted";
    try {
      (void)load_folder(folder);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      message = error.what();
    }
    std::filesystem::remove(folder / file);
    return message;
  };
  EXPECT_THAT(refused("001_empty.sql", ""), HasSubstr("001_empty.sql"));
  EXPECT_THAT(refused("001_nothing.sql", "-- migrate:up\n-- a remark\n"),
              HasSubstr("nothing to run"));
  EXPECT_THAT(refused("first.sql", "-- migrate:up\nSELECT 1;\n"), HasSubstr("not named like"));
  write_file_atomically(folder / "001_a.sql", "-- migrate:up\nSELECT 1;\n");
  EXPECT_THAT(refused("1_b.sql", "-- migrate:up\nSELECT 2;\n"), HasSubstr("same number"));
  EXPECT_THROW((void)load_folder(folder / "nowhere"), Error);
}

}  // namespace
}  // namespace pantryd::migrate
