// The daemon over HTTP: its page, its readiness, and targets that cannot be reached.
#include <gmock/gmock.h>
#include <signal.h>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/migrate_database.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing_support::newest_version;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::within;

std::string get(const std::string& url) {
  const auto file = scratch_dir() / "answer";
  (void)run_child({{"curl", "-s", "-m", "5", "-o", file.string(), url}}, Deadline::in(seconds(10)));
  return read_file(file);
}

/// The lines of the page that begin so: a failure then prints these and not a thousand others.
std::string lines(const std::string& page, const std::string& start) {
  std::string out;
  for (std::size_t at = 0; at < page.size();) {
    const auto end = std::min(page.find('\n', at), page.size());
    if (page.compare(at, start.size(), start) == 0) out += page.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string status_of(const std::string& url) {
  return run_child({{"curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url}},
                   Deadline::in(seconds(10)))
      .output;
}

/// The daemon with both servers of the sandbox as targets.
class Daemon {
 public:
  Daemon() : port_(find_free_port_pair()) {
    auto& sandbox = shared_sandbox();
    const auto config = scratch_dir() / "serve.yaml";
    write_file_atomically(
        config, "http: {listen: \"127.0.0.1:" + std::to_string(port_) +
                    "\"}\nprobes: {connect_timeout: 2s}\ntargets:\n  - name: primary\n    dsn: \"" +
                    sandbox.primary().reveal() +
                    "\"\n    backups:\n      - {name: dumps, kind: "
                    "pg_dump, path: \"" +
                    sandbox.dump_dir().string() + "\"}\n      - {name: base, kind: base, path: \"" +
                    sandbox.base_backup_dir().string() + "\"}\n  - name: standby\n    dsn: \"" +
                    sandbox.standby().reveal() + "\"\n");
    ChildSpec spec;
    spec.argv = {places::binary, "serve", "--config", config.string()};
    spec.output = scratch_dir() / "serve.log";
    spec.parent_death_signal = SIGKILL;
    child_ = std::make_unique<Child>(spec);
    EXPECT_TRUE(within(seconds(30), [&] { return status_of(url("/readyz")) == "200"; }));
    // Ready means looked at; on a busy machine the first look may have found nobody in time.
    EXPECT_TRUE(within(seconds(60), [&] {
      const auto page = metrics();
      return page.find("pg_up{target=\"primary\"} 1") != std::string::npos &&
             page.find("pg_up{target=\"standby\"} 1") != std::string::npos &&
             page.find("pantryd_standby_replay_delay_seconds{") != std::string::npos &&
             page.find("pantryd_archive_enabled{") != std::string::npos;
    }));
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  [[nodiscard]] std::string metrics() const { return get(url("/metrics")); }
  Child& child() { return *child_; }

 private:
  std::uint16_t port_;
  std::unique_ptr<Child> child_;
};

TEST(ServeTest, ThePageShowsTheFourConcernsAndPassesPromtool) {
  Daemon daemon;
  const auto page = daemon.metrics();
  EXPECT_THAT(lines(page, "pg_up"), HasSubstr("pg_up{target=\"primary\"} 1"));
  EXPECT_THAT(lines(page, "pg_up"), HasSubstr("pg_up{target=\"standby\"} 1"));
  EXPECT_THAT(lines(page, "pg_stat_statements_calls_total"),
              ContainsRegex("pg_stat_statements_calls_total\\{[^}]*target=\"primary\""));
  EXPECT_THAT(lines(page, "pantryd_archive_enabled"),
              HasSubstr("pantryd_archive_enabled{target=\"primary\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_replication_standbys"),
              HasSubstr("pantryd_replication_standbys{target=\"primary\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_standby_receiver_streaming"),
              HasSubstr("pantryd_standby_receiver_streaming{target=\"standby\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_standby_replay_delay_seconds"),
              ContainsRegex("pantryd_standby_replay_delay_seconds\\{target=\"standby\"\\}"));
  EXPECT_THAT(lines(page, "pantryd_backup_age_seconds"),
              ContainsRegex("pantryd_backup_age_seconds\\{kind=\"pg_dump\",name=\"dumps\""));
  EXPECT_THAT(lines(page, "pantryd_backup_age_seconds"),
              ContainsRegex("pantryd_backup_age_seconds\\{kind=\"base\",name=\"base\""));
  const auto file = scratch_dir() / "page.txt";
  write_file_atomically(file, page);
  const auto checked = run_child({{"sh", "-c", "promtool check metrics < " + file.string()}},
                                 Deadline::in(seconds(20)));
  EXPECT_TRUE(checked.ok()) << checked.output;
  EXPECT_EQ(checked.output, "");
}

TEST(ServeTest, ProbesThatDoNotFitARoleAreNotErrors) {
  Daemon daemon;
  const auto page = daemon.metrics();
  EXPECT_THAT(lines(page, "pantryd_probe_outcome"),
              HasSubstr("pantryd_probe_outcome{outcome=\"not_applicable\",probe=\"archiver\","
                        "target=\"standby\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_probe_outcome"),
              HasSubstr("pantryd_probe_outcome{outcome=\"not_applicable\",probe=\"standby\","
                        "target=\"primary\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_archive_"),
              testing::Not(ContainsRegex("pantryd_archive_[a-z_]*\\{target=\"standby\"")));
  EXPECT_THAT(lines(page, "pantryd_probe_outcome{outcome=\"error\""),
              testing::Not(HasSubstr("} 1\n")));
}

TEST(ServeTest, MigrationsAreToldToARoleThatHasOnlyPgMonitor) {
  auto admin = pg::Connection::connect(shared_sandbox().primary(), Deadline::in(seconds(10)),
                                       {.application_name = "serve_test"});
  ASSERT_TRUE(testing_support::run_binary(
                  places::binary, {"migrate", "up", "--dsn", shared_sandbox().primary().reveal()})
                  .ok());
  admin.exec_script(
      "CREATE ROLE watcher LOGIN PASSWORD 'watching'; GRANT pg_monitor TO watcher; "
      "ALTER TABLE users ADD COLUMN by_hand int",
      Deadline::in(seconds(10)));
  const auto dsn = shared_sandbox()
                       .primary()
                       .with("passfile", "")
                       .with("user", "watcher")
                       .with("password", "watching");
  const auto result = testing_support::run_binary(
      "sh", {"-c", "exec \"$0\" metrics --dsn \"$1\" | grep -E '^pantryd_(migrations|catalogue)'",
             places::binary, dsn.reveal()});
  EXPECT_THAT(result.output, HasSubstr("pantryd_migrations_version{target=\"main\"} " +
                                       std::to_string(newest_version()) + "\n"));
  EXPECT_THAT(result.output, HasSubstr("pantryd_migrations_pending{target=\"main\"} 0\n"));
  EXPECT_THAT(result.output, HasSubstr("pantryd_migrations_running{target=\"main\"} 0\n"));
  EXPECT_THAT(result.output, HasSubstr("pantryd_catalogue_drift{target=\"main\"} 1\n"))
      << "the column that was added by hand";
  admin.exec_script("ALTER TABLE users DROP COLUMN by_hand; DROP ROLE watcher",
                    Deadline::in(seconds(10)));
}

TEST(ServeTest, OneTargetAloneAndUnknownOnes) {
  Daemon daemon;
  const auto page = get(daemon.url("/probe?target=standby"));
  EXPECT_THAT(lines(page, "pg_up"), HasSubstr("pg_up{target=\"standby\"} 1"));
  EXPECT_THAT(page, testing::Not(HasSubstr("target=\"primary\"")));
  EXPECT_EQ(status_of(daemon.url("/probe?target=nobody")), "404");
  EXPECT_EQ(status_of(daemon.url("/probe")), "400");
  EXPECT_EQ(status_of(daemon.url("/healthz")), "200");
  EXPECT_EQ(status_of(daemon.url("/nosuch")), "404");
}

TEST(ServeTest, ADeadPrimaryIsToldAndTheStandbyStaysAndTheReturnIsSeen) {
  Daemon daemon;
  shared_sandbox().kill_primary();
  EXPECT_TRUE(within(seconds(15), [&] {
    return daemon.metrics().find("pg_up{target=\"primary\"} 0") != std::string::npos;
  }));
  const auto page = daemon.metrics();
  EXPECT_THAT(lines(page, "pg_up"), HasSubstr("pg_up{target=\"standby\"} 1"));
  EXPECT_THAT(lines(page, "pantryd_probe_age_seconds"),
              ContainsRegex("pantryd_probe_age_seconds\\{probe=\"activity\",target=\"primary\""));
  shared_sandbox().start_primary();
  EXPECT_TRUE(within(seconds(20), [&] {
    return daemon.metrics().find("pg_up{target=\"primary\"} 1") != std::string::npos;
  }));
}

TEST(ServeTest, SigtermEndsItAtOnceWithZero) {
  Daemon daemon;
  daemon.child().signal(SIGTERM, false);
  EXPECT_EQ(daemon.child().wait(Deadline::in(seconds(10))), 0);
}

TEST(ServeTest, ItNeverHoldsMoreThanThreeConnectionsATarget) {
  auto connection = pg::Connection::connect(shared_sandbox().primary(), Deadline::in(seconds(10)),
                                            {.application_name = "serve_test"});
  const auto held = [&] {
    return connection
        .exec("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pantryd'",
              Deadline::in(seconds(10)))
        .i64(0, 0);
  };
  // The server may still be closing the sessions of the daemon of the test before.
  ASSERT_TRUE(within(seconds(10), [&] { return held() == 0; }));
  Daemon daemon;
  std::int64_t most = 0;
  for (const auto end = Deadline::in(seconds(6)); !end.expired();) {
    most = std::max(most, held());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GE(most, 1);
  EXPECT_LE(most, 3);
}

}  // namespace
}  // namespace pantryd
