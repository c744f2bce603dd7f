// Servers that stop, are full, forget their statistics, or let the daemon see little.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>

#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

constexpr auto kFault = seconds(8);
constexpr auto kBack = seconds(30);

Deadline patience() {
  return Deadline::in(seconds(60));
}

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : port(shared_sandbox().port()),
        standby_port(static_cast<std::uint16_t>(port + 1)),
        admin(pg::Connection::connect(shared_sandbox().primary(), patience())) {
    // The sessions of the daemon of the test before end when the server notices.
    const auto where = watcher_at(port);
    EXPECT_TRUE(within(kBack, [&] { return sessions_of_watcher(admin) == 0; }));
    daemon = std::make_unique<Daemon>(
        places::binary, std::vector<std::string>{target_line("primary", where),
                                                 target_line("standby", watcher_at(standby_port))});
  }
  std::unique_ptr<PageWatch> look(std::vector<std::string> more = {}) {
    std::vector<std::string> series{"pg_up{target=\"standby\"} 1",
                                    "pg_postmaster_start_time_seconds{target=\"standby\"}",
                                    "pg_settings_max_connections{target=\"standby\"}"};
    series.insert(series.end(), more.begin(), more.end());
    return std::make_unique<PageWatch>(*daemon, std::move(series),
                                       std::vector<std::uint16_t>{port, standby_port},
                                       shared_sandbox().primary());
  }
  std::optional<double> value(const std::string& series) {
    return value_of(daemon->page(), series);
  }
  double age(const std::string& probe) { return value(age_of(probe, "primary")).value_or(-1); }
  bool is_fresh(const std::string& probe) {
    const auto page = daemon->page();
    return value_of(page, outcome_of(probe, "ok", "primary")) == 1 &&
           value_of(page, age_of(probe, "primary")).value_or(99) < 11;
  }
  void end_our_sessions() {
    admin.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
               pg::Params::of(kWatcher), patience());
  }
  bool becomes_down() {
    return within(seconds(30), [&] { return value("pg_up{target=\"primary\"}") == 0; });
  }
  bool comes_back() {
    return within(kBack, [&] {
      return value("pg_up{target=\"primary\"}") == 1 && is_fresh("up") && is_fresh("activity");
    });
  }

  std::uint16_t port;
  std::uint16_t standby_port;
  pg::Connection admin;
  std::unique_ptr<Daemon> daemon;
};

TEST_F(ServerTest, AFrozenPostmasterIsNoticedWhenAConnectionIsNeededAndNotBefore) {
  const auto watch = look({"pg_stat_activity_count{", "pg_static{"});
  const auto postmaster = Sandbox::status(shared_sandbox().dir()).primary_pid.value_or(0);
  ASSERT_GT(postmaster, 1);
  ASSERT_EQ(::kill(postmaster, SIGSTOP), 0);
  std::this_thread::sleep_for(kFault);
  const auto undisturbed = daemon->page();
  EXPECT_EQ(value_of(undisturbed, "pg_up{target=\"primary\"}"), 1) << "its sessions are at work";
  EXPECT_LT(age("up"), 7);
  // Connections are accepted by the kernel from now on, and nobody ever answers.
  end_our_sessions();
  EXPECT_TRUE(becomes_down()) << daemon->log();
  const double before = age("up");
  std::this_thread::sleep_for(kFault);
  EXPECT_GT(age("up"), before + 6);
  ASSERT_EQ(::kill(postmaster, SIGCONT), 0);
  EXPECT_TRUE(comes_back()) << daemon->log();
  watch->finish("SIGSTOP of the postmaster");
}

TEST_F(ServerTest, AFrozenSessionOfOursCostsOneProbeAndTheOthersRunOn) {
  const auto watch = look({"pg_up{target=\"primary\"} 1", "pg_stat_activity_count{"});
  const auto pid = admin
                       .exec(
                           "SELECT pid FROM pg_stat_activity WHERE usename = $1 ORDER BY "
                           "backend_start LIMIT 1",
                           pg::Params::of(kWatcher), patience())
                       .i64(0, 0);
  ASSERT_EQ(::kill(static_cast<pid_t>(pid), SIGSTOP), 0);
  const auto timeouts = [&] {
    double sum = 0;
    const auto lines = lines_of(daemon->page(), "pantryd_probe_runs_total{outcome=\"timeout\"");
    for (std::size_t at = 0; (at = lines.find("target=\"primary\"} ", at)) != std::string::npos;) {
      at += 17;
      sum += std::stod(lines.substr(at));
    }
    return sum;
  };
  EXPECT_TRUE(within(seconds(40), [&] { return timeouts() > 0; })) << daemon->log();
  // Whoever met it goes on with another connection.
  for (const std::string probe : {"up", "activity", "database", "replication"}) {
    EXPECT_TRUE(within(kBack, [&] { return is_fresh(probe); })) << probe << daemon->log();
  }
  EXPECT_LE(daemon->connections_to(port), 3);
  ASSERT_EQ(::kill(static_cast<pid_t>(pid), SIGCONT), 0);
  EXPECT_TRUE(within(kBack, [&] { return sessions_of_watcher(admin) <= 3; }));
  // The server cannot end the frozen one, though nobody is at its other end: three, and that one.
  watch->finish("SIGSTOP of a session", 4);
}

TEST_F(ServerTest, AServerWithoutAFreeConnectionIsToldAndIsBackWhenThereIsOne) {
  const auto watch = look();
  std::vector<pg::Connection> crowd;
  admin.exec_script("CREATE ROLE crowd LOGIN PASSWORD 'crowd'", patience());
  const auto where = watcher_at(port).with("user", "crowd").with("password", "crowd");
  const auto fill = [&] {
    try {
      while (crowd.size() < 300) crowd.push_back(pg::Connection::connect(where, patience()));
    } catch (const pg::PgError& error) {
      EXPECT_EQ(error.failure(), pg::Failure::too_many) << error.what();
    }
  };
  fill();
  end_our_sessions();
  // The places that we had are taken as soon as they are free.
  EXPECT_TRUE(within(
      seconds(30),
      [&] {
        fill();
        end_our_sessions();
        return value("pg_up{target=\"primary\"}") == 0 && sessions_of_watcher(admin) == 0;
      },
      milliseconds(20)))
      << daemon->log();
  const double before = age("activity");
  std::this_thread::sleep_for(kFault);
  EXPECT_GT(age("activity"), before + 6);
  EXPECT_THAT(lines_of(daemon->page(), "pantryd_pool_create_failures_total{cause=\"too_many"),
              HasSubstr("target=\"primary\""));
  crowd.clear();
  EXPECT_TRUE(comes_back()) << daemon->log();
  watch->finish("max_connections full");
}

TEST_F(ServerTest, StatisticsThatWereResetGoOnFromNothing) {
  const auto calls = [&] {
    return lines_of(daemon->page(), "pg_stat_statements_calls_total{").size();
  };
  const auto tracked = "pantryd_statements_tracked{target=\"primary\"}";
  ASSERT_TRUE(within(seconds(60), [&] { return calls() > 0 && value(tracked).value_or(0) > 20; }));
  // More than the daemon itself makes until it is looked at again.
  for (int i = 1; i < 400; ++i) {
    std::string columns = "1";
    for (int k = 1; k < i; ++k) columns += ",1";
    admin.exec("SELECT " + columns, patience());
  }
  // Entries are counted each minute.
  constexpr auto kCounted = seconds(75);
  ASSERT_TRUE(within(kCounted, [&] { return value(tracked).value_or(0) > 400; }));
  const auto watch = look({"pg_up{target=\"primary\"} 1", "pg_stat_database_xact_commit{",
                           "pg_stat_statements_calls_total{", "pantryd_statements_tracked{"});
  admin.exec_script(
      "SELECT pg_stat_reset(); SELECT pg_stat_reset_shared('archiver'); "
      "SELECT pg_stat_reset_shared('bgwriter'); SELECT pg_stat_statements_reset()",
      patience());
  EXPECT_TRUE(within(kCounted, [&] { return value(tracked).value_or(999) < 300; }));
  for (const std::string probe : {"database", "statements", "archiver"}) {
    EXPECT_TRUE(within(kBack, [&] { return is_fresh(probe) || age(probe) < 16; })) << probe;
  }
  watch->finish("statistics reset");
}

TEST_F(ServerTest, ARoleWithoutAnyGrantSeesLessAndSaysWhatItLacks) {
  admin.exec_script("CREATE ROLE stranger LOGIN PASSWORD 'stranger'", patience());
  const auto where = watcher_at(port).with("user", "stranger").with("password", "stranger");
  daemon->write_config(
      {target_line("primary", where), target_line("standby", watcher_at(standby_port))});
  const auto watch = look();
  daemon->reload();
  EXPECT_TRUE(within(kBack, [&] {
    const auto page = daemon->page();
    return value_of(page, outcome_of("wal", "error", "primary")) == 1 &&
           value_of(page, outcome_of("settings", "ok", "primary")) == 1;
  })) << lines_of(daemon->page(), "pantryd_probe_outcome");
  const auto page = daemon->page();
  EXPECT_EQ(value_of(page, "pg_up{target=\"primary\"}"), 1);
  // What anybody may see is there.
  for (const std::string probe : {"up", "activity", "database"}) {
    EXPECT_EQ(value_of(page, outcome_of(probe, "ok", "primary")), 1) << probe;
  }
  EXPECT_THAT(daemon->log(), HasSubstr("permission denied"));
  EXPECT_EQ(promtool_says(page), "");
  admin.exec_script("GRANT pg_monitor TO stranger", patience());
  EXPECT_TRUE(within(seconds(60), [&] { return value(outcome_of("wal", "ok", "primary")) == 1; }))
      << "a grant is seen without a restart: " << lines_of(daemon->page(), "pantryd_probe_outcome");
  watch->finish("a role without grants");
}

}  // namespace
}  // namespace pantryd
