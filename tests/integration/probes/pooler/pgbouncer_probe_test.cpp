// The pools of a real PgBouncer.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "base/file.h"
#include "probes/pooler/pgbouncer.h"
#include "tests/support/pgbouncer.h"
#include "tests/support/places.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::probes {
namespace {

using namespace testing_support;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kDatabase = "zion_grocery_db";

std::map<std::string, double> look(const LocalProbe& probe) {
  const auto run = probe.run(soon());
  EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
  std::map<std::string, double> out;
  for (const auto& sample : run.samples) {
    auto key = sample.metric->name;
    for (const auto& [name, value] : sample.labels) {
      if (name == "database") key += "|" + value;
    }
    out[key] = sample.value;
  }
  return out;
}

std::string of(const std::string& metric) {
  return "pantryd_pgbouncer_" + metric + "|" + kDatabase;
}

TEST(PgBouncerProbeTest, WhoWaitsForAPoolThatIsLentOutIsTold) {
  PgBouncer pooler(shared_sandbox().primary(), {.pool_size = 1});
  const auto probe = pgbouncer_probe([&] { return pooler.conninfo(); });
  auto holder = pg::Connection::connect(pooler.conninfo(), soon());
  auto waiter = pg::Connection::connect(pooler.conninfo(), soon());
  holder.exec_script("BEGIN; SELECT 1", soon());
  auto told = look(probe);
  EXPECT_EQ(told.at(of("pools_server_active")), 1);
  EXPECT_EQ(told.at(of("pools_client_waiting")), 0);
  waiter.send("SELECT 2", {});
  (void)waiter.flush();
  ASSERT_TRUE(within(seconds(30), [&] {
    told = look(probe);
    return told.at(of("pools_client_waiting")) == 1 && told.at(of("pools_maxwait_seconds")) > 0.2;
  }));
  holder.exec("COMMIT", soon());
  ASSERT_TRUE(within(seconds(30), [&] { return look(probe).at(of("pools_client_waiting")) == 0; }));
}

TEST(PgBouncerProbeTest, TransactionsAndTimesAreCounters) {
  PgBouncer pooler(shared_sandbox().primary());
  const auto probe = pgbouncer_probe([&] { return pooler.conninfo(); });
  auto client = pg::Connection::connect(pooler.conninfo(), soon());
  client.exec_script("SELECT 1", soon());
  const auto before = look(probe);
  for (int i = 0; i < 10; ++i) client.exec_script("BEGIN; SELECT pg_sleep(0.05); COMMIT", soon());
  // It counts once in a while and not at each answer.
  ASSERT_TRUE(within(seconds(60), [&] {
    const auto now = look(probe);
    return now.at(of("stats_transactions_total")) - before.at(of("stats_transactions_total")) == 10;
  }));
  const auto seconds_more = look(probe).at(of("stats_transaction_seconds_total")) -
                            before.at(of("stats_transaction_seconds_total"));
  EXPECT_GT(seconds_more, 0.5) << "microseconds taken for seconds, or not counted";
  EXPECT_LT(seconds_more, 500);
}

TEST(PgBouncerProbeTest, APoolerThatIsGoneIsAnErrorAndItsReturnIsSeen) {
  PgBouncer pooler(shared_sandbox().primary());
  const auto probe = pgbouncer_probe([&] { return pooler.conninfo(); });
  (void)look(probe);
  pooler.stop();
  EXPECT_EQ(probe.run(soon()).outcome, Outcome::error);
  pooler.start();
  (void)look(probe);
}

TEST(PgBouncerProbeTest, OneConnectionIsEnoughForAllLooks) {
  PgBouncer pooler(shared_sandbox().primary());
  const auto probe = pgbouncer_probe([&] { return pooler.conninfo(); });
  for (int i = 0; i < 5; ++i) (void)look(probe);
  const auto log = read_file(pooler.log_file());
  std::size_t logins = 0;
  for (auto at = log.find("login attempt: db=pgbouncer"); at != std::string::npos;
       at = log.find("login attempt: db=pgbouncer", at + 1)) {
    ++logins;
  }
  EXPECT_LE(logins, 2U) << "that of the test's own start and ours";
}

TEST(PgBouncerProbeTest, TheConfigurationPutsItOnThePageOfItsTarget) {
  PgBouncer pooler(shared_sandbox().primary());
  auto client = pg::Connection::connect(pooler.conninfo(), soon());
  client.exec_script("SELECT 1", soon());
  const auto config = scratch_dir() / "pooler.yaml";
  write_file_atomically(
      config, fmt::format("targets: [{{name: main, dsn: \"{}\", pgbouncer: {{dsn: \"{}\"}}}}]\n",
                          shared_sandbox().primary().reveal(), pooler.conninfo().reveal()));
  // All of a page is more than run_binary keeps.
  const auto page = run_binary("sh", {"-c", "\"$0\" metrics --config \"$1\" | grep pgbouncer",
                                      places::binary, config.string()});
  EXPECT_THAT(page.output,
              HasSubstr("pantryd_pgbouncer_pools_server_idle{database=\"zion_grocery_db\""));
  EXPECT_THAT(page.output, HasSubstr("pantryd_probe_outcome{outcome=\"ok\",probe=\"pgbouncer\""));
}

}  // namespace
}  // namespace pantryd::probes
