// The primary dies and its standby takes over, while both are watched.
#include <gmock/gmock.h>

#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

TEST(FailoverTest, ThePromotedStandbyIsSeenAsPrimaryWithoutAGapAndTheDeadOneAsDown) {
  auto& sandbox = shared_sandbox();
  const auto port = sandbox.port();
  const auto standby_port = static_cast<std::uint16_t>(port + 1);
  const auto at = watcher_at(port);
  const auto deadline = Deadline::in(seconds(60));
  auto standby = pg::Connection::connect(sandbox.standby(), deadline);
  ASSERT_TRUE(within(seconds(60), [&] {  // the role is replicated
    return standby.exec("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'watcher')", deadline)
        .boolean(0, 0);
  }));
  Daemon daemon(places::binary,
                {target_line("old", at), target_line("new", watcher_at(standby_port))});
  const auto value = [&](const std::string& series) { return value_of(daemon.page(), series); };
  ASSERT_EQ(value("pg_replication_is_replica{target=\"new\"}"), 1);
  PageWatch watch(daemon,
                  {"pg_up{target=\"new\"} 1", "pg_replication_is_replica{target=\"new\"}",
                   "pg_settings_max_connections{target=\"new\"}"},
                  {port, standby_port}, sandbox.standby());
  sandbox.kill_primary();
  EXPECT_TRUE(within(seconds(30), [&] { return value("pg_up{target=\"old\"}") == 0; }));
  standby.exec("SELECT pg_promote()", Deadline::in(seconds(60)));
  EXPECT_TRUE(within(seconds(30), [&] {
    return value("pg_replication_is_replica{target=\"new\"}") == 0 &&
           value(outcome_of("archiver", "ok", "new")) == 1 &&
           value(outcome_of("standby", "not_applicable", "new")) == 1;
  })) << lines_of(daemon.page(), "pantryd_probe_outcome");
  // What only a standby has is gone, and does not stand beside what only a primary has.
  const auto page = daemon.page();
  EXPECT_EQ(lines_of(page, "pantryd_standby_"), "");
  EXPECT_THAT(lines_of(page, "pantryd_archive_"), HasSubstr("target=\"new\""));
  EXPECT_GT(value_of(page, age_of("up", "old")).value_or(0), 1);
  EXPECT_EQ(promtool_says(page), "");
  sandbox.start_primary();
  EXPECT_TRUE(within(seconds(30), [&] { return value("pg_up{target=\"old\"}") == 1; }));
  watch.finish("failover");
}

}  // namespace
}  // namespace pantryd
