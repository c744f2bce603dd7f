// pg_stat_statements on a server that has room for a hundred entries only and throws out the rest.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "pg/identifier.h"
#include "probes/engine/run.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::probes {
namespace {

using std::chrono::seconds;
using testing_support::shared_sandbox;

constexpr int kStatementsMax = 20;
const std::string kHostileRole = "o'hare \"x\" {}\n\\";
const std::string kHostileDatabase = "d\"b'\n,{}\\";

Deadline soon() {
  return Deadline::in(seconds(60));
}

pg::Connection connect(const std::string& database = "") {
  auto where = shared_sandbox().primary();
  if (!database.empty()) where = where.with("dbname", database);
  return pg::Connection::connect(where, soon(), {.application_name = "statements_test"});
}

const ProbeSpec& statements_spec() {
  static const auto all = embedded_probes();
  for (const auto& spec : all) {
    if (spec.name == "statements") return spec;
  }
  throw std::logic_error("no probe is called statements");
}

/// What one look told, by the series: metric and labels.
using Told = std::map<std::string, double>;

std::string series(const std::string& metric, const Labels& labels) {
  auto out = metric;
  for (const auto& [name, value] : labels) out += fmt::format("|{}={}", name, value);
  return out;
}

class Statements : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    connect().exec("ALTER SYSTEM SET pg_stat_statements.max = 100", soon());
    shared_sandbox().stop_primary();
    shared_sandbox().start_primary();
    auto admin = connect();
    admin.exec("CREATE ROLE " + pg::quote_identifier(kHostileRole) + " SUPERUSER", soon());
    admin.exec("CREATE DATABASE " + pg::quote_identifier(kHostileDatabase), soon());
  }

  Statements() {
    worker_.exec("SET ROLE " + pg::quote_identifier(kHostileRole), soon());
    looker_.exec("SELECT pg_stat_statements_reset()", soon());
    // So that a look does not change what the next one sees.
    looker_.exec("SET pg_stat_statements.track = 'none'", soon());
    options_.target = "t";
    options_.parameters.statements_max = kStatementsMax;
    options_.with_samples = true;
  }

  Told look() {
    const auto run =
        run_probe(looker_, statements_spec(), read_facts(looker_, soon()), options_, memory_);
    EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
    EXPECT_EQ(run.error, "");
    Told out;
    for (const auto& sample : run.samples) {
      const bool fresh =
          out.emplace(series(sample.metric->name, sample.labels), sample.value).second;
      EXPECT_TRUE(fresh) << series(sample.metric->name, sample.labels) << " came twice";
    }
    return out;
  }

  /// A statement of its own for each width: constants alone would make one of them.
  void work(int width, int times) {
    std::string sql = "SELECT 1";
    for (int i = 0; i < width; ++i) sql += ", " + std::to_string(i);
    for (int i = 0; i < times; ++i) worker_.exec(sql, soon());
  }

  /// What the server itself counted since the last call, read beside the probe.
  double server_increase() {
    // Before 17 an entry that was thrown out and came back with as many calls looks unchanged.
    const auto* since = looker_.server_version() < 170000 ? "stats_reset" : "stats_since";
    const auto rows =
        looker_.exec(fmt::format("SELECT (userid, dbid, queryid, toplevel, {})::text, calls "
                                 "FROM pg_stat_statements(false), pg_stat_statements_info",
                                 since),
                     soon());
    std::map<std::string, double> now;
    double more = 0;
    for (int row = 0; row < rows.rows(); ++row) {
      const std::string key(rows.text(row, 0));
      now[key] = rows.f64(row, 1);
      const auto old = server_.find(key);
      const bool goes_on = old != server_.end() && now[key] >= old->second;
      more += goes_on ? now[key] - old->second : now[key];
    }
    server_ = std::move(now);
    return more;
  }

  pg::Connection worker_ = connect(kHostileDatabase);
  pg::Connection looker_ = connect();
  ProbeMemory memory_{statements_spec()};
  RunOptions options_;
  std::map<std::string, double> server_;
};

/// The part of a look that is calls by statement.
Told calls_of(const Told& told) {
  Told out;
  for (const auto& [name, value] : told) {
    if (name.rfind("pg_stat_statements_calls_total|", 0) == 0) out.emplace(name, value);
  }
  return out;
}

TEST_F(Statements, IncreasesAddUpToTheServersThroughChurnEvictionsAndAReset) {
  double server = 0;
  double told_sum = 0;
  int most = 0;
  for (int width = 1; width < 60; ++width) work(width, 1);
  (void)server_increase();
  auto before = look();
  const auto evictions = before.at("pantryd_statements_evictions_total");
  for (int round = 0; round < 40; ++round) {
    for (int k = 0; k < 25; ++k) work(1 + round * 10 + k, 1 + (k * 7 + round) % 5);
    work(700, 30);
    if (round == 20) looker_.exec("SELECT pg_stat_statements_reset()", soon());
    if (round == 20) work(700, 3);
    server += server_increase();
    const auto now = look();
    most = std::max(most, static_cast<int>(calls_of(now).size()));
    for (const auto& [name, value] : calls_of(now)) {
      const auto old = before.find(name);
      if (old == before.end()) continue;
      ASSERT_GE(value, old->second) << name << " fell in round " << round;
      told_sum += value - old->second;
    }
    before = now;
  }
  EXPECT_EQ(most, kStatementsMax);
  EXPECT_GT(before.at("pantryd_statements_evictions_total"), evictions + 5) << "no churn";
  EXPECT_DOUBLE_EQ(told_sum, server);
  EXPECT_DOUBLE_EQ(before.at("pantryd_statements_calls_total"), server);
}

TEST_F(Statements, AStatementThatMattersIsToldByItselfWithItsHostileNames) {
  (void)look();
  work(40, 500);
  (void)look();
  work(40, 50);
  const auto told = calls_of(look());
  const auto mine = [&] {
    for (const auto& [name, value] : told) {
      if (name.find("|user=" + kHostileRole + "|datname=" + kHostileDatabase + "|") !=
              std::string::npos &&
          value == 550) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(mine());
}

TEST_F(Statements, ARankThatIsSmallInTimeAndLargeInCallsIsToldToo) {
  work(30, 400);
  // More of them than there is room for, and each of them takes more time than those 400.
  std::string sql = "SELECT pg_sleep(0.05)";
  for (int i = 0; i < kStatementsMax + 10; ++i) worker_.exec(sql += ", 1", soon());
  bool found = false;
  for (const auto& [name, value] : calls_of(look())) found |= value == 400;
  EXPECT_TRUE(found);
}

TEST_F(Statements, TheTimeOfTheLastResetIsTold) {
  const auto first = look().at("pantryd_statements_reset_timestamp_seconds");
  looker_.exec("SELECT pg_stat_statements_reset()", soon());
  EXPECT_GT(look().at("pantryd_statements_reset_timestamp_seconds"), first);
}

TEST_F(Statements, AStatementCostsNoMoreThanTwelveSeries) {
  std::set<std::string> names;
  for (const auto& [name, value] : look()) {
    if (name.find("|queryid=") != std::string::npos) names.insert(name.substr(0, name.find('|')));
  }
  EXPECT_EQ(names.size(), 12U);
}

}  // namespace
}  // namespace pantryd::probes
