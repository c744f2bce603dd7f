// The seed and the load generator together on a real server: what the rows show after a load.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/dataset/seed.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "migrate/migrate.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing_support::shared_sandbox;

constexpr auto kLimit = 30s;

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kLimit));
}

std::int64_t number(const std::string& sql) {
  auto connection = connect();
  return connection.exec(sql, Deadline::in(kLimit)).i64(0, 0);
}

void migrate_up() {
  auto connection = connect();
  (void)migrate::up(connection, migrate::embedded_migrations(), {}, [](const auto&) {});
}

SeedOptions small_seed(std::uint64_t seed = 1) {
  SeedOptions options;
  options.shape.seed = seed;
  options.shape.products = 2'000;
  options.shape.sales = 5'000;
  options.products_per_chunk = 300;
  options.sales_per_chunk = 700;
  options.jobs = 3;
  return options;
}

LoadOptions small_load() {
  LoadOptions options;
  options.workload = load_workload("");
  options.rate_per_s = 100;
  options.connections = 8;
  options.users = 20;
  options.duration = 3s;
  options.warmup = 500ms;
  return options;
}

/// What must hold of every run, however it went.
void expect_consistent(const LoadResult& result) {
  EXPECT_EQ(result.offered(), result.completed() + result.refused() + result.empty() +
                                  result.errors() + result.not_started());
  for (const auto& each : result.operations) {
    EXPECT_TRUE(each.totals.is_closed()) << each.name;
    EXPECT_EQ(each.totals.service.count(), each.totals.completed + each.totals.refused)
        << each.name;
  }
  std::int64_t offered_in_windows = 0;
  std::int64_t in_windows = 0;
  for (const auto& window : result.totals.windows) {
    if (window.phase != Phase::measured) continue;
    offered_in_windows += window.offered;
    in_windows += window.completed;
  }
  EXPECT_EQ(offered_in_windows, result.offered());
  EXPECT_EQ(in_windows, result.done_in_window());
  std::int64_t errors = 0;
  for (const auto& [code, entry] : result.totals.errors) errors += entry.count;
  EXPECT_EQ(errors, result.errors());
}

class LoadgenTest : public testing::Test {
 protected:
  void SetUp() override {
    migrate_up();
    auto options = small_seed();
    options.force = true;
    (void)seed(shared_sandbox().primary(), options);
  }
};

TEST_F(LoadgenTest, TheSeedMakesWhatItSaysAndItAddsUp) {
  EXPECT_EQ(number("SELECT count(*) FROM users"), 100);
  EXPECT_EQ(number("SELECT count(*) FROM products"), 2'000);
  EXPECT_EQ(number("SELECT count(*) FROM sales WHERE status IN ('completed', 'cancelled', "
                   "'pending')"),
            5'000);
  EXPECT_EQ(number("SELECT count(*) FROM sales WHERE total <> quantity * unit_price"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM sales s JOIN products p ON p.id = s.product_id "
                   "WHERE p.price <> s.unit_price OR p.name <> s.product_name"),
            0);
  EXPECT_EQ(number("SELECT count(*) FROM sales WHERE payment_method = 'debt'"),
            number("SELECT count(*) FROM debts"));
  EXPECT_EQ(number("SELECT count(*) FROM debts d JOIN sales s ON s.id = d.sale_id "
                   "WHERE d.amount <> s.total OR d.balance <> d.amount - d.amount_paid"),
            0);
  EXPECT_EQ(number("SELECT count(*) FROM debts d WHERE d.amount_paid <> coalesce((SELECT "
                   "sum(amount) FROM debt_payments p WHERE p.debt_id = d.id), 0)"),
            0);
  EXPECT_EQ(number("SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND "
                   "relname IN ('products', 'sales', 'users', 'debts')"),
            4);
}

TEST_F(LoadgenTest, TheSeedFoldsTheSumsAndTheImprovedWorkloadUsesThem) {
  EXPECT_EQ(number("SELECT count(*) FROM sales_changes"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM sales_rollup_difference()"), 0);
  auto options = small_load();
  options.workload = load_workload("grocery-improved");
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  expect_consistent(result);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_EQ(number("SELECT count(*) FROM sales_rollup_difference()"), 0);
}

TEST_F(LoadgenTest, ASaleWithoutStockIsRefusedAndNotFailed) {
  connect().exec("UPDATE products SET stock = 0", Deadline::in(10s));
  auto options = small_load();
  options.workload = options.workload.only("sale");
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  expect_consistent(result);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_GT(result.refused(), 0);
  EXPECT_EQ(result.completed(), 0) << "a refused operation is not done";
  EXPECT_EQ(result.completed_per_s(), 0);
  EXPECT_EQ(result.verdict, Verdict::inconclusive) << to_text(result);
}

TEST_F(LoadgenTest, AColumnThatIsAddedUnderLoadFailsNoSale) {
  auto options = small_load();
  options.workload = options.workload.only("sale");
  std::thread other([] {
    const StopFlag never;
    (void)never.wait(Deadline::in(1500ms));
    connect().exec("ALTER TABLE products ADD COLUMN shelf text", Deadline::in(10s));
  });
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  other.join();
  connect().exec("ALTER TABLE products DROP COLUMN shelf", Deadline::in(10s));
  expect_consistent(result);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  std::int64_t retries = 0;
  for (const auto& each : result.operations) retries += each.totals.retries;
  EXPECT_GT(retries, 0);
}

TEST_F(LoadgenTest, SeedingTwiceIsDoneAtOnceAndAnotherSizeIsRefused) {
  const auto before = number("SELECT count(*) FROM sales");
  const auto again = seed(shared_sandbox().primary(), small_seed());
  EXPECT_TRUE(again.already_there);
  EXPECT_EQ(again.rows_copied, 0);
  EXPECT_EQ(number("SELECT count(*) FROM sales"), before);
  try {
    (void)seed(shared_sandbox().primary(), small_seed(2));
    FAIL() << "another dataset was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_THAT(error.hint(), testing::HasSubstr("--force"));
  }
}

TEST_F(LoadgenTest, RowsOfAnotherOriginAreRefusedUnlessForced) {
  connect().exec_script("DROP TABLE pantryd.seed_ledger", Deadline::in(kLimit));
  EXPECT_THROW((void)seed(shared_sandbox().primary(), small_seed()), Error);
  EXPECT_EQ(number("SELECT count(*) FROM products"), 2'000);
  auto options = small_seed();
  options.force = true;
  const auto report = seed(shared_sandbox().primary(), options);
  EXPECT_GT(report.rows_copied, 7'000);
}

TEST_F(LoadgenTest, AnInterruptedSeedGoesOnWhereItWas) {
  const auto digest = [] {
    auto connection = connect();
    return std::string(
        connection
            .exec("SELECT md5(string_agg(md5(s::text), '' ORDER BY id)) FROM sales s",
                  Deadline::in(kLimit))
            .text(0, 0));
  };
  const auto whole = digest();
  // As a crash leaves it: some chunks are in, with their ledger rows, and others are not.
  connect().exec_script(
      "DELETE FROM debt_payments; DELETE FROM debts;"
      "TRUNCATE sales CASCADE;"
      "DELETE FROM pantryd.seed_ledger WHERE part IN ('complete', 'sales', 'debts', "
      "'debt_payments')",
      Deadline::in(kLimit));
  auto options = small_seed();
  options.jobs = 1;
  options.sales_per_chunk = 9'999;  // the ledger's own size counts
  const auto report = seed(shared_sandbox().primary(), options);
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(digest(), whole);
}

TEST_F(LoadgenTest, AShortLoadCountsEveryArrival) {
  const auto sales_before = number("SELECT count(*) FROM sales");
  const auto result = run_and_judge(shared_sandbox().primary(), small_load());
  expect_consistent(result);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_NEAR(static_cast<double>(result.offered()), 300, 90);
  EXPECT_GT(number("SELECT count(*) FROM sales"), sales_before);
  EXPECT_EQ(number("SELECT count(*) FROM sales WHERE total <> quantity * unit_price"), 0);
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_EQ(json["format"], "pantryd.load");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["empty"], 0);
  EXPECT_TRUE(json["drained"].contains("completed") && json["drained"].contains("seconds"));
  EXPECT_GT(json["client"]["cpu_us_per_operation"].get<double>(), 0);
  EXPECT_TRUE(json["client"]["start_lag_us"].contains("p99"));
  for (const auto& operation : json["operations"]) {
    for (const char* key : {"p50", "p95", "p99", "p999", "max"}) {
      EXPECT_TRUE(operation["response_us"].contains(key));
      EXPECT_TRUE(operation["service_us"].contains(key));
    }
  }
}

TEST_F(LoadgenTest, PipelinedAndClosedLoopsCountAsWell) {
  for (const bool pipelined : {false, true}) {
    auto options = small_load();
    options.rate_per_s.reset();
    options.mode = pipelined ? Mode::pipelined : Mode::faithful;
    options.duration = 2s;
    const auto result = run_and_judge(shared_sandbox().primary(), options);
    expect_consistent(result);
    EXPECT_EQ(result.errors(), 0) << to_text(result);
    EXPECT_GT(result.completed(), 50);
    EXPECT_LE(result.totals.users_peak, 20);
  }
}

TEST_F(LoadgenTest, WhatTheServerRefusesIsCountedBySqlstate) {
  for (const auto mode : {Mode::faithful, Mode::pipelined}) {
    auto options = small_load();
    options.mode = mode;
    options.workload = parse_workload(
        "version: 1\nname: w\noperations:\n  - name: divide\n    weight: 1\n    transaction: true\n"
        "    steps: [{sql: 'SELECT 1 / $1::integer', params: [{choice: ['0', '1']}]}]\n",
        "w.yaml");
    options.duration = 1s;
    const auto result = run_and_judge(shared_sandbox().primary(), options);
    expect_consistent(result);
    EXPECT_GT(result.completed(), 10);
    EXPECT_EQ(result.totals.errors.at("22012").count, result.errors());
    EXPECT_EQ(result.verdict, Verdict::fail);
    EXPECT_TRUE(result.totals.outages.empty());
  }
}

TEST_F(LoadgenTest, AServerThatCannotKeepUpShowsInTheResponseTime) {
  auto options = small_load();
  options.workload = parse_workload(
      "version: 1\nname: w\noperations:\n  - name: sleep\n    weight: 1\n    slo: {p99: 300ms}\n"
      "    steps: [{sql: 'SELECT pg_sleep(0.1)'}]\n",
      "w.yaml");
  options.rate_per_s = 40;  // two connections carry 20
  options.connections = 2;
  options.users = 1000;
  options.warmup = 0ms;
  options.drain_limit = 1s;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  expect_consistent(result);
  const auto& totals = result.operations[0].totals;
  EXPECT_LT(totals.service.quantile_us(0.5), 200'000);
  EXPECT_GT(totals.response.quantile_us(0.99), 1'000'000);
  EXPECT_GT(totals.not_started, 0);
  EXPECT_EQ(result.verdict, Verdict::fail);
}

TEST_F(LoadgenTest, AStatementBeyondItsLimitIsCancelledAndItsConnectionMadeAnew) {
  auto options = small_load();
  options.workload = parse_workload(
      "version: 1\nname: w\noperations:\n  - name: sleep\n    weight: 1\n"
      "    steps: [{sql: 'SELECT pg_sleep($1::float)', params: [{choice: ['30', '0']}]}]\n",
      "w.yaml");
  options.rate_per_s = 20;
  options.statement_limit = 300ms;
  options.duration = 2s;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  expect_consistent(result);
  EXPECT_GT(result.totals.errors.at("timeout").count, 0);
  EXPECT_GT(result.completed(), 0);
  EXPECT_EQ(number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                   "'pantryd-load%' AND state = 'active'"),
            0);
}

TEST_F(LoadgenTest, AKilledServerIsAnOutageInTheReportAndTheLoadResumes) {
  auto options = small_load();
  options.duration = 12s;
  options.drain_limit = 5s;
  const auto began = SteadyClock::now();
  // By the seconds of the run itself, so that a slow machine kills the server in the same place.
  std::atomic<std::int64_t> second{-1};
  const auto follow = [&second](const LiveState& live) { second = live.second; };
  auto running = std::async(std::launch::async, [&options, &follow] {
    return run_and_judge(shared_sandbox().primary(), options, follow);
  });
  const auto wait_for_second = [&](std::int64_t wanted) {
    const auto deadline = Deadline::in(60s);
    while (second < wanted && !deadline.expired()) std::this_thread::sleep_for(10ms);
  };
  // On this thread: the server is tied to the life of the thread that starts it.
  wait_for_second(2);
  shared_sandbox().kill_primary();
  wait_for_second(4);
  shared_sandbox().start_primary();
  const auto result = running.get();
  EXPECT_LT(SteadyClock::now() - began, 90s) << "it hung";
  expect_consistent(result);
  ASSERT_FALSE(result.totals.outages.empty());
  const auto& outage = result.totals.outages.front();
  EXPECT_GE(outage.from_s, 1);
  ASSERT_TRUE(outage.to_s) << to_text(result);
  EXPECT_GT(*outage.to_s - outage.from_s, 0.9);
  EXPECT_GT(outage.connections_lost, 0);
  std::int64_t after = 0;
  for (const auto& window : result.totals.windows) {
    if (static_cast<double>(window.second) > *outage.to_s) after += window.completed;
  }
  EXPECT_GT(after, 50);
  // The arrivals of the outage waited for it, and that shows.
  std::int64_t slowest_us = 0;
  for (const auto& each : result.operations) {
    slowest_us = std::max(slowest_us, each.totals.response.max_us());
  }
  EXPECT_GT(slowest_us, 900'000);
}

TEST_F(LoadgenTest, APersonMayEndItEarly) {
  auto options = small_load();
  options.duration = 60s;
  StopFlag stop;
  std::thread person([&] {
    std::this_thread::sleep_for(2s);
    stop.request();
  });
  const auto began = SteadyClock::now();
  const auto result = run_and_judge(shared_sandbox().primary(), options, {}, &stop);
  person.join();
  EXPECT_LT(SteadyClock::now() - began, 40s);
  expect_consistent(result);
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_GT(result.completed(), 0);
}

TEST_F(LoadgenTest, AnUnseededDatabaseAndAnAbsentServerAreRefused) {
  connect().exec_script("DROP TABLE pantryd.seed_ledger", Deadline::in(kLimit));
  try {
    (void)run_and_judge(shared_sandbox().primary(), small_load());
    FAIL() << "ran without a dataset";
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), testing::HasSubstr("pantryd seed"));
  }
  try {
    (void)run_and_judge(pg::Conninfo::parse("host=127.0.0.1 port=1 user=x"), small_load());
    FAIL() << "ran without a server";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::unreachable);
  }
}

TEST_F(LoadgenTest, TheCommandsWriteTheirReports) {
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  const auto again = testing_support::run_binary(
      places::binary, {"--dsn", dsn, "seed", "--products", "2000", "--sales", "5000"});
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, testing::HasSubstr("already there"));
  const auto file = testing_support::scratch_dir() / "load.json";
  const auto run = testing_support::run_binary(
      places::binary, {"--dsn", dsn, "load", "run", "--rate", "50", "--duration", "2s", "--warmup",
                       "0s", "--only", "barcode_lookup", "--out", file.string()});
  EXPECT_THAT(run.exit_code, testing::AnyOf(0, 1, 7)) << run.output;
  EXPECT_THAT(run.output, testing::HasSubstr("verdict: "));
  EXPECT_EQ(nlohmann::json::parse(read_file(file))["operations"].size(), 1U);
  const auto wrong =
      testing_support::run_binary(places::binary, {"--dsn", dsn, "load", "run", "--rate", "x"});
  EXPECT_EQ(wrong.exit_code, 2);
}

}  // namespace
}  // namespace pantryd::loadgen
