// The configuration changes while everything is watched.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using namespace testing_support;

constexpr auto kSoon = seconds(30);
const std::string kReloaded = "pantryd_config_last_reload_successful";

class ReloadTest : public testing::Test {
 protected:
  ReloadTest()
      : port(shared_sandbox().port()),
        where(watcher_at(port)),
        admin(pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kSoon))) {
    EXPECT_TRUE(within(kSoon, [&] { return sessions_of_watcher(admin) == 0; }));
  }
  void start(const std::vector<std::string>& targets, const std::string& probes) {
    daemon = std::make_unique<Daemon>(places::binary, targets, Daemon::Options{.probes = probes});
  }
  std::unique_ptr<PageWatch> look_at(const std::string& target) {
    std::vector<std::string> series;
    for (const std::string name :
         {"pg_up", "pg_postmaster_start_time_seconds", "pg_settings_max_connections"}) {
      series.push_back(fmt::format("{}{{target=\"{}\"}} ", name, target));
    }
    return std::make_unique<PageWatch>(*daemon, series, std::vector<std::uint16_t>{}, std::nullopt);
  }
  std::optional<double> value(const std::string& series) {
    return value_of(daemon->page(), series);
  }
  bool is_up(const std::string& target) { return value("pg_up{target=\"" + target + "\"}") == 1; }

  std::uint16_t port;
  pg::Conninfo where;
  pg::Connection admin;
  std::unique_ptr<Daemon> daemon;
};

TEST_F(ReloadTest, TargetsComeGoAndChangeAndTheOthersNeverMissAPage) {
  start({target_line("stays", where), target_line("goes", where), target_line("changes", where)},
        "connect_timeout: 2s");
  const auto watch = look_at("stays");
  const auto runs = "pantryd_probe_runs_total{outcome=\"ok\",probe=\"up\",target=\"stays\"}";
  std::this_thread::sleep_for(seconds(6));
  const auto before = value(runs).value_or(0);
  EXPECT_GE(before, 2);
  daemon->write_config({target_line("comes", where), target_line("stays", where),
                        target_line("changes", where.with("dbname", "postgres"))});
  daemon->reload();
  EXPECT_TRUE(within(
      kSoon,
      [&] { return is_up("comes") && is_up("changes") && !value("pg_up{target=\"goes\"}"); }))
      << lines_of(daemon->page(), "pg_up") << daemon->log();
  EXPECT_GE(value(runs).value_or(0), before) << "what stays is not begun anew";
  EXPECT_THAT(daemon->page(), Not(HasSubstr("target=\"goes\"")));
  EXPECT_EQ(value(kReloaded), 1);
  EXPECT_TRUE(within(kSoon, [&] { return sessions_of_watcher(admin) <= 9; }));
  watch->finish("a reload that adds, removes and changes");
}

TEST_F(ReloadTest, AFileThatCannotBeUsedIsRefusedAndToldAndWhatWasWatchedGoesOn) {
  start({target_line("stays", where)}, "connect_timeout: 2s");
  const auto watch = look_at("stays");
  ASSERT_EQ(value(kReloaded), 1);
  const auto first = value("pantryd_config_last_reload_timestamp_seconds").value_or(0);
  const auto runs = "pantryd_probe_runs_total{outcome=\"ok\",probe=\"up\",target=\"stays\"}";
  for (const std::string broken :
       {"targets: [", "targets:\n  - {name: stays}\n", "nonsense: 1\ntargets: []\n",
        "probes: {folder: /nonexistent/folder}\ntargets:\n  - {name: stays, dsn: \"host=x\"}\n"}) {
    daemon->write_config({target_line("stays", where)});
    daemon->reload();
    ASSERT_TRUE(within(kSoon, [&] { return value(kReloaded) == 1; }));
    daemon->write_config_text(broken);
    daemon->reload();
    EXPECT_TRUE(within(kSoon, [&] { return value(kReloaded) == 0; })) << broken;
  }
  EXPECT_GT(value("pantryd_config_last_reload_timestamp_seconds").value_or(0), first);
  EXPECT_THAT(daemon->log(), HasSubstr("the configuration was not reloaded"));
  EXPECT_THAT(daemon->log(), HasSubstr("serve.yaml:2:"));
  EXPECT_TRUE(is_up("stays"));
  const auto before = value(runs).value_or(0);
  EXPECT_TRUE(within(kSoon, [&] { return value(runs).value_or(0) > before; }));
  watch->finish("files that cannot be used");
}

TEST_F(ReloadTest, AnOperatorsOwnProbesComeWithAReloadAndBrokenOnesAreRefusedWithTheirPlace) {
  const auto folder = scratch_dir() / "own";
  std::filesystem::create_directories(folder);
  const auto probe = [](const std::string& name, const std::string& metric) {
    return "name: " + name + "\nsummary: Ours.\ninterval: 1s\nqueries:\n  - sql: SELECT 42 AS x\n" +
           "    metrics:\n      - {name: " + metric +
           ", column: x, type: gauge, help: \"Ours.\"}\n";
  };
  start({target_line("stays", where)},
        fmt::format("connect_timeout: 2s, folder: \"{}\"", folder.string()));
  const auto watch = look_at("stays");
  write_file_atomically(folder / "good.yaml", probe("good", "shop_answer"));
  daemon->reload();
  const std::string answer = "shop_answer{target=\"stays\"}";
  ASSERT_TRUE(within(kSoon, [&] { return value(answer) == 42; })) << daemon->log();

  const auto refused = [&](const std::string& text, const std::string& why) {
    write_file_atomically(folder / "bad.yaml", text);
    daemon->reload();
    EXPECT_TRUE(within(kSoon, [&] { return value(kReloaded) == 0; })) << why;
    EXPECT_THAT(daemon->log(), HasSubstr(why));
    EXPECT_EQ(value(answer), 42);
    std::filesystem::remove(folder / "bad.yaml");
    daemon->reload();
    EXPECT_TRUE(within(kSoon, [&] { return value(kReloaded) == 1; })) << why;
  };
  refused("name: bad\nsummary: x\nqueries: [{sql: SELECT 1}]\n", "bad.yaml:3:");
  refused(probe("good", "another"), "two probes are called good");
  refused(probe("bad", "shop_answer"), "both export the metric shop_answer");
  refused(probe("bad", "pg_up"), "pg_up");
  refused(probe("bad", "pantryd_probe_age_seconds"), "pantryd_probe_age_seconds");
  refused(probe("bad", "pantryd_backup_age_seconds"), "pantryd_backup_age_seconds");
  refused(probe("migrations", "another"), "two probes are called migrations");

  // One that parses and fails on the server costs itself.
  write_file_atomically(
      folder / "failing.yaml",
      "name: failing\nsummary: x\ninterval: 1s\nqueries:\n  - sql: SELECT nosuch\n"
      "    metrics: [{name: shop_b, column: x, type: gauge, help: B.}]\n");
  daemon->reload();
  EXPECT_TRUE(within(kSoon, [&] { return value(outcome_of("failing", "error", "stays")) == 1; }));
  EXPECT_TRUE(within(kSoon, [&] { return value(answer) == 42; }));
  EXPECT_EQ(promtool_says(daemon->page()), "");
  watch->finish("an operator's own probes");
}

TEST_F(ReloadTest, APasswordThatWasRotatedInItsFileIsUsedAtTheNextConnect) {
  admin.exec_script("CREATE ROLE rotating LOGIN PASSWORD 'first' IN ROLE pg_monitor",
                    Deadline::in(kSoon));
  const auto file = scratch_dir() / "password";
  write_file_atomically(file, "first\n");
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  start({target_line("rotates", where.with("user", "rotating").with("password", ""),
                     fmt::format("password_file: \"{}\"", file.string())),
         target_line("stays", where)},
        "connect_timeout: 2s");
  ASSERT_TRUE(within(kSoon, [&] { return is_up("rotates"); })) << daemon->log();
  const auto watch = look_at("stays");
  const auto end_sessions = [&] {
    admin.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotating'",
               Deadline::in(kSoon));
  };
  admin.exec_script("ALTER ROLE rotating PASSWORD 'second'", Deadline::in(kSoon));
  end_sessions();
  EXPECT_TRUE(within(kSoon, [&] { return !is_up("rotates"); })) << "the file is not changed yet";
  EXPECT_THAT(daemon->log(), Not(HasSubstr("first")));
  write_file_atomically(file, "second\n");
  EXPECT_TRUE(within(kSoon, [&] { return is_up("rotates"); })) << daemon->log();
  EXPECT_THAT(daemon->log(), Not(HasSubstr("second'")));
  watch->finish("a password rotated");
}

}  // namespace
}  // namespace pantryd
