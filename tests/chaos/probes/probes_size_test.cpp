// Servers with much to tell: megabytes of statement texts, thousands of tables. 20,000 tables take
// minutes to make and to drop: they are in the bench.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using namespace testing_support;

Deadline patience() {
  return Deadline::in(seconds(120));
}

std::int64_t number(pg::Connection& connection, const std::string& sql) {
  return connection.exec(sql, patience()).i64(0, 0);
}

class SizeTest : public testing::Test {
 protected:
  SizeTest()
      : port(shared_sandbox().port()),
        standby_port(static_cast<std::uint16_t>(port + 1)),
        admin(pg::Connection::connect(shared_sandbox().primary(), patience())) {}

  std::unique_ptr<Daemon> start(const std::string& probes) {
    return std::make_unique<Daemon>(
        places::binary,
        std::vector<std::string>{target_line("primary", watcher_at(port)),
                                 target_line("standby", watcher_at(standby_port))},
        Daemon::Options{.probes = probes});
  }
  std::uint16_t port;
  std::uint16_t standby_port;
  pg::Connection admin;
};

// The file of the texts is read by whoever asks the view for them: 37 MB a look, in the backend's
// memory. The daemon asks for numbers only.
TEST_F(SizeTest, MegabytesOfStatementTextsAreNeverRead) {
  const auto daemon = start("connect_timeout: 2s");
  // Constants are normalised and comments stay: a column more makes it another statement.
  const std::string comment = "/*" + std::string(9'000, 'x') + "*/ ";
  for (const std::string verb : {"SELECT ", "SELECT DISTINCT "}) {
    std::string columns = "1";
    for (int i = 0; i < 1600; ++i, columns += ",1") {
      admin.exec(verb + comment + columns, patience());
    }
  }
  const auto bytes =
      number(admin, "SELECT (pg_stat_file('pg_stat_tmp/pgss_query_texts.stat')).size");
  EXPECT_GT(bytes, 20'000'000);
  fmt::print("texts: {} bytes in {} statements\n", bytes,
             number(admin, "SELECT count(*) FROM pg_stat_statements(false)"));
  PageWatch watch(
      *daemon,
      {"pg_up{target=\"primary\"} 1", "pg_up{target=\"standby\"} 1",
       "pantryd_statements_tracked{target=\"primary\"}", "pg_stat_statements_calls_total{"},
      {port, standby_port}, shared_sandbox().primary());
  const auto runs =
      "pantryd_probe_runs_total{outcome=\"ok\",probe=\"statements\",target=\"primary\"}";
  const auto first = value_of(daemon->page(), runs).value_or(0);
  EXPECT_TRUE(within(seconds(170), [&] {
    return value_of(daemon->page(), runs).value_or(0) >= first + 1;
  })) << lines_of(daemon->page(), "pantryd_probe_");
  EXPECT_EQ(admin
                .exec("SELECT coalesce(string_agg(left(s.query, 200), E'\\n'), '') FROM "
                      "pg_stat_statements(true) s JOIN pg_roles r ON r.oid = s.userid WHERE "
                      "r.rolname = 'watcher' AND (s.temp_blks_written > 0 OR s.query ~ "
                      "'(FROM|JOIN)\\s+([a-z]+\\.)?pg_stat_statements\\s*([^(_. ]|$)')",
                      patience())
                .text(0, 0),
            "");
  watch.finish(fmt::format("{} MB of statement texts", bytes / 1'000'000));
}

TEST_F(SizeTest, TwoThousandTablesStayWithinTheLimitOfSeries) {
  admin.exec_script(
      "CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE 'CREATE TABLE many.t' || i || "
      "' (a int PRIMARY KEY, b text)'; END LOOP; END $$",
      patience());
  const auto daemon = start("connect_timeout: 2s, relations_max: 200");
  PageWatch watch(
      *daemon,
      {"pg_up{target=\"primary\"} 1", "pg_up{target=\"standby\"} 1", "pg_database_size_bytes{"},
      {port, standby_port}, shared_sandbox().primary());
  std::this_thread::sleep_for(seconds(20));
  const auto page = daemon->page();
  EXPECT_EQ(promtool_says(page), "");
  EXPECT_EQ(told_twice(page), "");
  for (const std::string outcome : {"error", "timeout"}) {
    const auto series = "pantryd_probe_outcome{outcome=\"" + outcome + "\"";
    EXPECT_EQ(lines_of(page, series).find("target=\"primary\"} 1"), std::string::npos)
        << lines_of(page, series);
  }
  // Of each metric of tables: the limit, and one more that is called other.
  std::map<std::string, int> series;
  const auto lines = lines_of(page, "pg_stat");
  for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
    const auto line = lines.substr(at, lines.find('\n', at) - at);
    if (line.find("relname=") == std::string::npos ||
        line.find("target=\"primary\"") == std::string::npos) {
      continue;
    }
    ++series[line.substr(0, line.find('{'))];
  }
  for (const auto& [name, count] : series) EXPECT_LE(count, 201) << name;
  watch.finish("2,000 tables");
}

}  // namespace
}  // namespace pantryd
