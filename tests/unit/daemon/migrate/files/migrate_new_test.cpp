// `migrate new`: the number and the content of the file that it writes.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "migrate/files/migration.h"
#include "migrate/files/new.h"

namespace pantryd::migrate {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MigrateNewTest : public testing::Test {
 protected:
  MigrateNewTest() {
    std::string pattern = (fs::temp_directory_path() / "pantryd-new-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~MigrateNewTest() override { fs::remove_all(folder_); }

  std::string add(const std::string& name) const {
    return write_new(folder_, {.name = name}).filename().string();
  }
  void have(const std::string& file) const { write_file_atomically(folder_ / file, "there\n"); }

  fs::path folder_;
};

TEST_F(MigrateNewTest, TheNumberIsOneAboveTheHighestAndAsWide) {
  EXPECT_EQ(add("Add stock-level"), "001_add_stock_level.sql");
  EXPECT_EQ(add("more"), "002_more.sql");
  have("0041_far.sql");
  have("R_view.sql");
  have("notes.txt");
  have("9999_other.md");
  EXPECT_EQ(add("next"), "0042_next.sql");
  have("20260101120000_dated.sql");
  EXPECT_EQ(add("after"), "20260101120001_after.sql");
}

TEST_F(MigrateNewTest, AGapIsNotFilled) {
  have("001_a.sql");
  have("007_b.sql");
  EXPECT_EQ(add("c"), "008_c.sql");
  have("999_d.sql");
  EXPECT_EQ(add("e"), "1000_e.sql");
}

TEST_F(MigrateNewTest, AFileIsRefusedUntilItDoesSomethingAndThenHasItsOptions) {
  const auto path = write_new(folder_, {.name = "x", .transaction = false});
  auto text = read_file(path);
  EXPECT_THROW((void)parse_file("001_x.sql", text), Error);
  text.insert(text.find("\n\n-- migrate:down") + 1, "SELECT 1;\n");
  const auto parsed = parse_file("001_x.sql", text);
  EXPECT_FALSE(parsed.up_options.transaction);
  EXPECT_TRUE(parsed.allowances.empty());
  EXPECT_TRUE(parsed.down.empty());
  auto plain = read_file(write_new(folder_, {.name = "y"}));
  plain.insert(plain.find("\n\n-- migrate:down") + 1, "SELECT 1;\n");
  EXPECT_TRUE(parse_file("002_y.sql", plain).up_options.transaction);
}

TEST_F(MigrateNewTest, BadNamesAreRefusedAndNothingIsWritten) {
  for (const auto* name : {"", "  ", "12", "a/b", "../up", "naïve", "a.sql", "x;y", "a\nb"}) {
    EXPECT_THROW((void)add(name), Error) << name;
  }
  EXPECT_THROW((void)add(std::string(101, 'a')), Error);
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_EQ(add(std::string(100, 'a')).size(), 108U);
}

TEST_F(MigrateNewTest, AFolderThatIsNotThereIsAUsageError) {
  try {
    (void)write_new(folder_ / "nowhere", {.name = "a"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("nowhere"));
  }
}

TEST_F(MigrateNewTest, NoNumberAboveTheHighestIsAnErrorNotASmallOne) {
  have("9223372036854775807_last.sql");
  EXPECT_THROW((void)add("more"), Error);
  have("99999999999999999999_huge.sql");
  EXPECT_THROW((void)add("more"), Error);
}

TEST_F(MigrateNewTest, ManyAtOnceGetANumberEach) {
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      try {
        for (int n = 0; n < 5; ++n) (void)add("from thread " + std::to_string(i));
      } catch (const std::exception&) {
        ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  std::set<std::string> numbers;
  int files = 0;
  for (const auto& each : fs::directory_iterator(folder_)) {
    numbers.insert(each.path().filename().string().substr(0, 3));
    ++files;
  }
  EXPECT_EQ(files, 80) << "no temporary file is left";
  EXPECT_EQ(numbers.size(), 80U);
}

TEST_F(MigrateNewTest, AFileThatExistsIsNotWrittenOver) {
  have("001_a.sql");
  EXPECT_FALSE(create_file_atomically(folder_ / "001_a.sql", "mine"));
  EXPECT_EQ(read_file(folder_ / "001_a.sql"), "there\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace pantryd::migrate
