// The promise to the people who use the shop: a migration that must wait for a table does not make
// others wait with it. A file of its own, since half a minute of it is waiting.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <regex>
#include <thread>

#include "tests/support/migrate_database.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

constexpr auto kHeld = seconds(30);
constexpr auto kLockTimeout = milliseconds(1000);
/// For a machine that is busy with other tests.
constexpr auto kSlack = milliseconds(1000);

/// Reads the table over and over, and remembers the longest that a read took.
class Reader {
 public:
  explicit Reader(const pg::Conninfo& where)
      : thread_([this, where] {
          auto connection = connect(where);
          while (!done_) {
            const auto began = SteadyClock::now();
            connection.exec("SELECT count(*) FROM shop", soon());
            const auto took =
                std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began).count();
            worst_ms_ = std::max<std::int64_t>(worst_ms_, took);
            ++reads_;
            std::this_thread::sleep_for(milliseconds(5));
          }
        }) {}
  ~Reader() {
    done_ = true;
    thread_.join();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  [[nodiscard]] std::int64_t worst_ms() const { return worst_ms_; }
  [[nodiscard]] int reads() const { return reads_; }

 private:
  std::atomic<bool> done_{false};
  std::atomic<std::int64_t> worst_ms_{0};
  std::atomic<int> reads_{0};
  std::thread thread_;
};

TEST(MigrateReadersTest, AReaderThatHoldsATableFor30sDelaysOthersByNoMoreThanTheLockTimeout) {
  const auto where = fresh_database("readers");
  auto holder = connect(where);
  holder.exec("CREATE TABLE shop (a int)", soon());
  const auto folder =
      folder_of("readers", {{"001_a.sql", "-- migrate:up\nALTER TABLE shop ADD COLUMN b int;\n"}});
  holder.exec("BEGIN", soon());
  holder.exec("SELECT *, 'the report' FROM shop", soon());
  const auto held_since = SteadyClock::now();

  const Reader one(where);
  const Reader other(where);
  Child child(pantryd_child({"migrate", "up", "--dir", folder, "--lock-timeout",
                             std::to_string(kLockTimeout.count()) + "ms"},
                            where));
  std::this_thread::sleep_until(held_since + kHeld);
  ASSERT_TRUE(child.running()) << read_until(child, "no such text: read to the end");
  holder.exec("COMMIT", soon());
  const auto said = read_until(child, "applied 001_a");
  EXPECT_EQ(child.wait(soon()), 0) << said;
  EXPECT_THAT(said, HasSubstr("applied 001_a"));
  EXPECT_EQ(connect(where).exec("SELECT b FROM shop", soon()).columns(), 1);

  // Every attempt names pid, user, age and query of who was in the way.
  const std::regex named(
      "001_a.sql:2: attempt [0-9]+, gave way after [^;]*; next in [^:]*: the "
      "lock is held by pid " +
      std::to_string(holder.backend_pid()) +
      " \\(postgres [^,]*, idle in transaction, transaction ([0-9]+)m?s old\\): "
      "SELECT \\*, 'the report' FROM shop");
  int attempts = 0;
  int oldest_s = 0;
  for (std::sregex_iterator at(said.begin(), said.end(), named), end; at != end; ++at) {
    ++attempts;
    oldest_s = std::max(oldest_s, std::stoi((*at)[1]));
  }
  // The pauses grow to a quarter of a minute.
  EXPECT_GE(attempts, 5) << said;
  EXPECT_GE(oldest_s, 10) << said;

  for (const auto* reader : {&one, &other}) {
    RecordProperty("worst_read_ms", static_cast<int>(reader->worst_ms()));
    std::cout << "worst read " << reader->worst_ms() << " ms of " << reader->reads() << "\n";
    EXPECT_LE(reader->worst_ms(), (kLockTimeout + kSlack).count());
    EXPECT_GT(reader->worst_ms(), kLockTimeout.count() / 2)
        << "nobody queued behind the migration, so nothing was measured";
    EXPECT_GT(reader->reads(), 500);
  }
}

}  // namespace
}  // namespace pantryd::migrate
