// What `check --advise` finds in a load that is known: threads that sleep in the server and in
// their transactions, and count what they did. The measurement is compared with that count and not
// with the schedule, so that a slow machine changes both alike.
#include "cli/pool_advice.h"

#include <gmock/gmock.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "tests/support/migrate_database.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing_support::connect;
using testing_support::fresh_database;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::soon;

constexpr int kThreads = 8;
constexpr milliseconds kPeriod{200};  ///< of each thread: 8 / 0.2 = 40 arrivals a second
constexpr milliseconds kAtWork{60};
constexpr milliseconds kIdleInside{40};

/// What the borrowers themselves saw.
struct Seen {
  std::int64_t transactions = 0;
  double held_s = 0;
  SteadyClock::time_point at;
};

/// An open loop: each thread begins a transaction at its own times, late ones at once.
class KnownLoad {
 public:
  explicit KnownLoad(const pg::Conninfo& where) {
    // A session that touches no table reports nothing until it ends (PostgreSQL 15).
    connect(where).exec_script("CREATE TABLE one AS SELECT 1 AS n", soon());
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this, where, i] { drive(where, i); });
    }
  }
  ~KnownLoad() { stop_.request(); }
  KnownLoad(const KnownLoad&) = delete;
  KnownLoad& operator=(const KnownLoad&) = delete;

  [[nodiscard]] Seen seen() const {
    return {transactions_, static_cast<double>(held_us_) / 1e6, SteadyClock::now()};
  }

 private:
  void drive(const pg::Conninfo& where, int number) {
    auto connection = connect(where);
    auto next = SteadyClock::now() + kPeriod * number / kThreads;
    while (!stop_.wait(Deadline::at(next))) {
      next += kPeriod;
      const auto began = SteadyClock::now();
      connection.exec("BEGIN", soon());
      connection.exec("SELECT pg_sleep(0.06) FROM one", soon());
      std::this_thread::sleep_for(kIdleInside);
      connection.exec("COMMIT", soon());
      ++transactions_;
      held_us_ +=
          std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began).count();
    }
  }

  StopFlag stop_;
  std::atomic<std::int64_t> transactions_{0};
  std::atomic<std::int64_t> held_us_{0};
  std::vector<std::jthread> threads_;  ///< last: they end before what they use
};

Settings settings_for(const pg::Conninfo& where) {
  auto settings = Settings::for_single_target(where);
  settings.probes.connect_timeout = seconds(30);
  return settings;
}

cli::TargetPoolAdvice advise_once(const pg::Conninfo& where, seconds window) {
  cli::PoolAdviceOptions options;
  options.window = window;
  auto all = cli::advise_pools(settings_for(where), {"main"}, options, nullptr);
  return all.at(0);
}

MATCHER_P(IsWithinAQuarterOf, truth, "") {
  *result_listener << "truth " << truth;
  return arg > truth * 0.75 && arg < truth * 1.25;
}

TEST(PoolAdviceTest, FindsRateHoldTimeAndConcurrencyOfAKnownLoad) {
  const auto where = fresh_database("pool_advice_known");
  const KnownLoad load(where);
  // Sessions report once a second: after some of those, as much comes late as came late before.
  std::this_thread::sleep_for(seconds(3));
  const auto before = load.seen();
  const auto advice = advise_once(where, seconds(10));
  const auto after = load.seen();
  ASSERT_EQ(advice.failure, "");
  ASSERT_TRUE(advice.window.demand) << advice.window.why_not;
  const auto& demand = *advice.window.demand;
  const double span_s = std::chrono::duration<double>(after.at - before.at).count();
  const auto count = static_cast<double>(after.transactions - before.transactions);
  const double lambda = count / span_s;
  const double hold_s = (after.held_s - before.held_s) / count;
  EXPECT_GT(count, 50);
  EXPECT_THAT(demand.arrivals_per_s, IsWithinAQuarterOf(lambda));
  EXPECT_THAT(demand.hold_s, IsWithinAQuarterOf(hold_s));
  EXPECT_THAT(advice.advice.concurrency.value_or(0), IsWithinAQuarterOf(lambda * hold_s));
  // The server's part is no less than it was told to sleep, and no more than the whole.
  EXPECT_GT(demand.busy_s, std::chrono::duration<double>(kAtWork).count() * 0.75);
  EXPECT_LT(demand.busy_s, demand.hold_s);
  EXPECT_EQ(advice.connections_now, kThreads);
  EXPECT_TRUE(advice.advice.max);
}

TEST(PoolAdviceTest, ADatabaseWithoutLoadGetsNoSize) {
  const auto where = fresh_database("pool_advice_idle");
  const auto advice = advise_once(where, seconds(2));
  EXPECT_EQ(advice.failure, "");
  EXPECT_FALSE(advice.window.demand);
  EXPECT_THAT(advice.window.why_not, HasSubstr("no load to measure"));
  EXPECT_FALSE(advice.advice.max);
  EXPECT_EQ(advice.inputs.max_connections, 200);
  EXPECT_GE(advice.inputs.others_now, 1) << "the session that asks";
  EXPECT_THAT(cli::render(advice), HasSubstr("no load to measure"));
}

TEST(PoolAdviceTest, ConnectionsOfOtherDatabasesTakeTheSlots) {
  const auto where = fresh_database("pool_advice_others");
  const auto before = advise_once(where, seconds(1));
  std::vector<pg::Connection> others;
  for (int i = 0; i < 20; ++i) others.push_back(connect(shared_sandbox().primary()));
  const auto after = advise_once(where, seconds(1));
  EXPECT_GE(after.inputs.others_now, before.inputs.others_now + 15);
  EXPECT_LE(after.advice.slots, before.advice.slots - 15);
}

TEST(PoolAdviceTest, TheAverageSinceAResetIsFollowedWhenTheWindowIsQuiet) {
  const auto where = fresh_database("pool_advice_average");
  auto session = connect(where);
  session.exec("SELECT pg_stat_reset()", soon());
  for (int i = 0; i < 60; ++i)
    session.exec("SELECT pg_sleep(0.01) FROM (SELECT FROM pg_class LIMIT 1) AS one", soon());
  session.exec("SELECT pg_sleep(1.1) FROM (SELECT FROM pg_class LIMIT 1) AS one",
               soon());  // reported at its end, a second after the last
  const auto advice = advise_once(where, seconds(1));
  ASSERT_TRUE(advice.average.demand) << advice.average.why_not;
  EXPECT_EQ(advice.basis, "average");
  EXPECT_GE(advice.average.transactions, 60);
}

TEST(PoolAdviceTest, CoresAreOfThisMachineWhenTheServerRunsHereAndUnknownElsewhere) {
  const auto where = fresh_database("pool_advice_cores");
  const auto here = advise_once(where, seconds(1));
  EXPECT_EQ(here.inputs.cores, static_cast<std::int32_t>(std::thread::hardware_concurrency()));
  EXPECT_THAT(here.cores_from, HasSubstr("this machine"));
  // The same server as one of several hosts: which of them answers is not known.
  cli::PoolAdviceOptions options;
  options.window = seconds(1);
  const auto far = where.with("host", "127.0.0.1,127.0.0.1")
                       .with("port", where.get("port") + "," + where.get("port"));
  const auto unknown = cli::advise_pools(settings_for(far), {"main"}, options, nullptr).at(0);
  EXPECT_EQ(unknown.failure, "");
  EXPECT_FALSE(unknown.inputs.cores);
  EXPECT_THAT(cli::render(unknown), HasSubstr("unknown"));
  options.server_cores = 48;
  const auto told = cli::advise_pools(settings_for(far), {"main"}, options, nullptr).at(0);
  EXPECT_EQ(told.inputs.cores, 48);
}

/// `pantryd check`, with the target's pool as given; a server that is down beside it.
ChildResult check(const std::string& pool, std::vector<std::string> arguments) {
  const auto config = scratch_dir() / "advice.yaml";
  write_file_atomically(config,
                        "probes: {connect_timeout: 20s}\ntargets:\n  - name: main\n    dsn: \"" +
                            shared_sandbox().primary().reveal() + "\"\n" + pool);
  arguments.insert(arguments.begin(), {"check", "--config", config.string()});
  return run_binary(places::binary, arguments);
}

TEST(PoolAdviceTest, TheCheckSaysNothingOfPoolsUnlessAsked) {
  EXPECT_THAT(check("", {}).output, Not(HasSubstr("pool advice")));
  EXPECT_THAT(check("", {"--json"}).output, Not(HasSubstr("pool_advice")));
}

TEST(PoolAdviceTest, TheAdviceIsWrittenBelowTheFindingsAndIntoTheJson) {
  const auto text = check("    pool: {max: 20}\n", {"--advise", "--advise-for", "1s"});
  EXPECT_THAT(text.output, testing::StartsWith("PANTRYD "));
  EXPECT_THAT(text.output, HasSubstr("\npool advice for main: "));
  EXPECT_THAT(text.output, HasSubstr("configured: min 10, max 20"));
  const auto json = nlohmann::json::parse(
      check("    pool: {max: 20}\n", {"--advise", "--advise-for", "1s", "--json"}).output);
  const auto& advice = json.at("pool_advice").at(0);
  EXPECT_EQ(advice.at("target"), "main");
  EXPECT_EQ(advice.at("configured_max"), 20);
  EXPECT_EQ(advice.at("cannot_fit"), false);
  EXPECT_GT(advice.at("window").at("span_s").get<double>(), 0.9);
}

TEST(PoolAdviceTest, OnlyPoolsThatCannotFitWorsenTheExitCodeAndThenToAWarning) {
  const auto plain = check("", {}).exit_code;
  ASSERT_LE(plain, 1) << "the sandbox itself is well";
  const std::vector<std::string> advise{"--advise", "--advise-for", "1s"};
  EXPECT_EQ(check("    pool: {max: 190}\n", advise).exit_code, plain);
  // The default of 100 in two processes would not fit either, but nobody configured it.
  auto two = advise;
  two.insert(two.end(), {"--pools", "2"});
  EXPECT_EQ(check("", two).exit_code, plain);
  const auto impossible = check("    pool: {max: 150}\n", two);
  EXPECT_EQ(impossible.exit_code, 1);
  EXPECT_THAT(impossible.output, testing::StartsWith("PANTRYD WARNING"));
  EXPECT_THAT(impossible.output, HasSubstr("150 x 2 pools = 300 exceeds the 197 slots"));
}

TEST(PoolAdviceTest, ATargetThatIsDownIsNotAskedForAdvice) {
  const auto result = check("  - name: gone\n    dsn: \"host=127.0.0.1 port=1 dbname=x\"\n",
                            {"--advise", "--advise-for", "1s"});
  EXPECT_THAT(result.output, HasSubstr("pool advice for main"));
  EXPECT_THAT(result.output, Not(HasSubstr("pool advice for gone")));
  EXPECT_EQ(result.exit_code, 2) << "as without it";
}

TEST(PoolAdviceTest, OptionsOutOfBoundsOrWithoutAdviseAreRefused) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--advise", "--advise-for", "100ms"},
        {"--advise", "--advise-for", "2h"},
        {"--advise", "--server-cores", "0"},
        {"--advise", "--pools", "0"},
        {"--advise-for", "3s"},
        {"--server-cores", "4"},
        {"--pools", "2"}}) {
    const auto result = check("", arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.output, HasSubstr("HINT: "));
    EXPECT_THAT(result.output, HasSubstr(arguments.at(arguments.size() - 2).substr(2)));
  }
}

}  // namespace
}  // namespace pantryd
