// Relations that somebody holds: the probe that reads one gives up at once and says so, everything
// else goes on.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using namespace testing_support;

constexpr auto kLockHeld = seconds(60);
constexpr auto kAlterWaits = seconds(10);
constexpr auto kValuesKept = seconds(30);  // of a probe with so short an interval
constexpr auto kBack = seconds(30);
constexpr const char* kItems = "shelf_items{target=\"primary\"}";

Deadline patience() {
  return Deadline::in(seconds(60));
}

/// An operator's own probe that reads a table, as such probes do.
std::string own_probes() {
  const auto folder = scratch_dir() / "probes";
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / "shelf.yaml",
                        "name: shelf\nsummary: What is on the shelf.\ninterval: 1s\ntimeout: 2s\n"
                        "roles: [primary]\nqueries:\n"
                        "  - sql: SELECT count(*) AS items FROM public.shelf\n"
                        "    metrics:\n"
                        "      - {name: shelf_items, column: items, type: gauge, help: Items.}\n");
  return fmt::format("connect_timeout: 2s, folder: \"{}\"", folder.string());
}

class LockTest : public testing::Test {
 protected:
  LockTest() : admin(pg::Connection::connect(shared_sandbox().primary(), patience())) {
    const auto port = shared_sandbox().port();
    admin.exec_script(
        "CREATE TABLE IF NOT EXISTS shelf (item int); GRANT SELECT ON shelf TO PUBLIC", patience());
    const auto standby_port = static_cast<std::uint16_t>(port + 1);
    daemon = std::make_unique<Daemon>(
        places::binary,
        std::vector<std::string>{target_line("primary", watcher_at(port)),
                                 target_line("standby", watcher_at(standby_port))},
        Daemon::Options{.probes = own_probes()});
    EXPECT_TRUE(within(kBack, [&] { return is_ok(); })) << daemon->log();
    watch = std::make_unique<PageWatch>(
        *daemon,
        std::vector<std::string>{"pg_up{target=\"standby\"} 1", "pg_up{target=\"primary\"} 1",
                                 "pg_postmaster_start_time_seconds{target=\"standby\"}",
                                 "pg_stat_activity_count{", "pg_settings_max_connections{"},
        std::vector<std::uint16_t>{port, standby_port}, shared_sandbox().primary());
  }
  bool is_ok() { return value_of(daemon->page(), outcome_of("shelf", "ok", "primary")) == 1; }
  double age() { return value_of(daemon->page(), age_of("shelf", "primary")).value_or(-1); }

  /// While the relation is held: told as skipped, older and older; the others run on. What was
  /// seen last stays beside its age for half a minute, and no longer.
  void expect_skipped(seconds held) {
    EXPECT_TRUE(within(seconds(15), [&] {
      return value_of(daemon->page(), outcome_of("shelf", "lock_skipped", "primary")) == 1;
    })) << lines_of(daemon->page(), "pantryd_probe_outcome");
    const auto before = daemon->page();
    EXPECT_EQ(value_of(before, kItems), 0);
    std::this_thread::sleep_for(held);
    const auto after = daemon->page();
    EXPECT_EQ(value_of(after, kItems).has_value(), held < kValuesKept);
    const auto series = age_of("shelf", "primary");
    EXPECT_GE(value_of(after, series).value_or(0) - value_of(before, series).value_or(0),
              static_cast<double>(held.count()) - 1)
        << lines_of(after, "pantryd_probe_age_seconds");
    for (const std::string probe : {"up", "activity"}) {
      EXPECT_EQ(value_of(after, outcome_of(probe, "ok", "primary")), 1) << probe;
    }
    const std::string runs =
        "pantryd_probe_runs_total{outcome=\"ok\",probe=\"up\",target=\"primary\"}";
    EXPECT_GT(value_of(after, runs).value_or(0), value_of(before, runs).value_or(0));
  }

  pg::Connection admin;
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<PageWatch> watch;
};

TEST_F(LockTest, ARelationThatIsLockedCostsItsProbeAndNothingElse) {
  admin.exec_script("BEGIN; LOCK TABLE shelf IN ACCESS EXCLUSIVE MODE", patience());
  expect_skipped(kLockHeld);
  admin.exec_script("ROLLBACK", patience());
  EXPECT_TRUE(within(kBack, [&] { return is_ok() && age() < 10; })) << age();
  watch->finish("a relation locked");
}

// Skipping what is locked is not enough: behind an ALTER that waits for a reader, every new reader
// waits, too.
TEST_F(LockTest, AnAlterThatWaitsForAReaderCostsTheProbeOfItsTableAndNothingElse) {
  auto reader = pg::Connection::connect(shared_sandbox().primary(), patience());
  reader.exec_script("BEGIN; SELECT count(*) FROM shelf", patience());
  admin.send("ALTER TABLE shelf ADD COLUMN IF NOT EXISTS price int", {});
  EXPECT_TRUE(admin.flush());
  auto other = pg::Connection::connect(shared_sandbox().primary(), patience());
  EXPECT_TRUE(within(seconds(30), [&] {
    return other
        .exec(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = "
            "'AccessExclusiveLock')",
            patience())
        .boolean(0, 0);
  }));
  expect_skipped(kAlterWaits);
  reader.exec_script("COMMIT", patience());
  EXPECT_TRUE(within(kBack, [&] { return is_ok() && age() < 10; })) << age();
  watch->finish("an ALTER behind a reader");
}

}  // namespace
}  // namespace pantryd
