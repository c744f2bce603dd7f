// What a role without grants is told it cannot see.
#include <gmock/gmock.h>

#include "pg/connection.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing_support::run_binary;
using testing_support::shared_sandbox;

Deadline soon() {
  return Deadline::in(seconds(30));
}

class RightsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto primary = shared_sandbox().primary();
    auto admin = pg::Connection::connect(primary, soon());
    admin.exec_script(
        "DROP ROLE IF EXISTS watcher_poor; DROP ROLE IF EXISTS watcher_rich;"
        "CREATE ROLE watcher_poor LOGIN PASSWORD 'poor one';"
        "CREATE ROLE watcher_rich LOGIN PASSWORD 'rich one' IN ROLE pg_monitor, pg_read_all_data",
        soon());
  }
  static ChildResult rights_of(const std::string& user, const std::string& password) {
    const auto where = shared_sandbox().primary().with("user", user).with("passfile", "");
    return run_binary(places::binary,
                      {"probes", "rights", "--dsn", where.with("password", password).reveal()});
  }
};

TEST_F(RightsTest, OfAPlainRoleNameProbeMetricsAndTheGrant) {
  const auto told = rights_of("watcher_poor", "poor one");
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.output, HasSubstr("without pg_monitor"));
  EXPECT_THAT(told.output, HasSubstr("pantryd_archive_ready_segments"));
  EXPECT_THAT(told.output, HasSubstr("GRANT pg_monitor TO \"watcher_poor\";"));
  EXPECT_THAT(told.output, Not(HasSubstr("poor one")));
}

TEST_F(RightsTest, OfAMonitoringRoleLackNothing) {
  const auto told = rights_of("watcher_rich", "rich one");
  EXPECT_EQ(told.exit_code, 0) << told.output;
  EXPECT_THAT(told.output, HasSubstr("every probe sees all"));
}

// It was "OK 9 rows": a role that sees no session found none.
TEST_F(RightsTest, CheckSaysUnknownForWhatARoleMayNotSeeAndJudgesWhatItMay) {
  const auto check = [](const std::string& user, const std::string& password) {
    const auto where = shared_sandbox().primary().with("user", user).with("passfile", "");
    return run_binary(places::binary,
                      {"check", "--dsn", where.with("password", password).reveal()});
  };
  const auto poor = check("watcher_poor", "poor one");
  EXPECT_EQ(poor.exit_code, 3) << poor.output;
  EXPECT_THAT(poor.output, HasSubstr("how many connections are open is not known"));
  EXPECT_THAT(poor.output, HasSubstr("how many standbys there are is not known"));
  const auto rich = check("watcher_rich", "rich one");
  EXPECT_EQ(rich.exit_code, 0) << rich.output;
  EXPECT_THAT(rich.output, testing::ContainsRegex("[0-9]+ of [0-9]+ connections"));
  EXPECT_THAT(rich.output, HasSubstr("1 standby, at most "));
}

}  // namespace
}  // namespace pantryd
