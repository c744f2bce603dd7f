// A server that is stopped, stopped at once, or crashes in the middle of a run: a clear error, and
// the next run leaves what an undisturbed one does.
#include <gmock/gmock.h>

#include <tuple>

#include "base/error.h"
#include "tests/support/migrate_database.h"
#include "tests/support/migrate_runs.h"

namespace pantryd::migrate {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

/// As pg_ctl restart with this mode, but the server still ends with the test.
void restart(const std::string& mode) {
  auto& sandbox = shared_sandbox();
  ChildSpec spec;
  spec.argv = {(sandbox.bin_dir() / "pg_ctl").string(), "stop", "-w", "-m", mode, "-D",
               (sandbox.dir() / "primary").string()};
  spec.cwd = "/";
  spec.run_as = server_user();
  const auto stopped = run_child(spec, Deadline::in(seconds(60)));
  EXPECT_TRUE(stopped.ok()) << stopped.output;
  sandbox.start_primary();
}

struct Moment {
  const char* step;   ///< what the runner was about to do, its beginning
  const char* place;  ///< what the message must name
};

class RestartTest : public testing::TestWithParam<std::tuple<const char*, Moment>> {};

TEST_P(RestartTest, TheErrorIsClearAndTheNextRunCompletes) {
  const auto& [mode, moment] = GetParam();
  const auto where = fresh_database("restarted");
  const auto folder = folder_of("restarted", mixed_files());
  auto connection = connect(where);
  RunnerOptions options;
  bool restarted = false;
  options.before_step = [&, mode = mode, moment = moment](std::string_view what) {
    if (restarted || what.rfind(moment.step, 0) != 0) return;
    restarted = true;
    restart(mode);
  };
  try {
    (void)bring_up(connection, load_folder(folder), options);
    FAIL();
  } catch (const pg::PgError& error) {
    EXPECT_EQ(error.code(), ExitCode::unreachable);
    EXPECT_EQ(error.failure(), pg::Failure::lost);
    EXPECT_THAT(error.what(), HasSubstr(moment.place));
    EXPECT_THAT(error.hint(), HasSubstr("restarted"));
  }
  const auto again = pantryd_run({"migrate", "up", "--dir", folder}, where);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(state_of(where), undisturbed(folder));
}

INSTANTIATE_TEST_SUITE_P(
    EveryModeInEveryKindOfFile, RestartTest,
    testing::Combine(testing::Values("fast", "immediate"),
                     testing::Values(Moment{"CREATE INDEX item_old", "001_shop.sql:4"},
                                     Moment{"COMMIT", "001_shop.sql"},
                                     Moment{"INSERT INTO item VALUES (101", "002_live.sql:5"},
                                     Moment{"DROP INDEX CONCURRENTLY", "002_live.sql:6"},
                                     Moment{"VACUUM", "002_live.sql:8"})),
    [](const auto& each) {
      return std::string(std::get<0>(each.param)) + "_" + std::to_string(each.index);
    });

TEST(CrashTest, ACrashInsideAConcurrentBuildLeavesALeftoverThatTheNextRunRebuilds) {
  const auto where = fresh_database("crashed");
  const auto folder = folder_of("crashed", mixed_files());
  ASSERT_EQ(pantryd_run({"migrate", "up", "--dir", folder, "--to", "1"}, where).exit_code, 0);
  auto watcher = connect(where);
  auto writer = connect(where);
  writer.exec("BEGIN", soon());
  writer.exec("UPDATE item SET name = name WHERE id = 1", soon());
  Child child(pantryd_child({"migrate", "up", "--dir", folder}, where));
  ASSERT_TRUE(becomes_true(watcher,
                           "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND "
                           "indexrelid = to_regclass('item_name'))"));
  shared_sandbox().kill_primary();
  const auto said = read_until(child, "no such text: read to the end");
  EXPECT_EQ(child.wait(soon()), 8) << said;
  EXPECT_THAT(said, HasSubstr("pantryd: 002_live.sql:4: "));
  EXPECT_THAT(said, HasSubstr("\nHINT: "));
  shared_sandbox().start_primary();
  watcher = connect(where);
  EXPECT_TRUE(watcher
                  .exec("SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND "
                        "indexrelid = to_regclass('item_name'))",
                        soon())
                  .boolean(0, 0))
      << "the crash left nothing to clear away, so nothing was tested";
  const auto again = pantryd_run({"migrate", "up", "--dir", folder}, where);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("dropping the invalid index public.item_name"));
  EXPECT_EQ(state_of(where), undisturbed(folder));
}

}  // namespace
}  // namespace pantryd::migrate
