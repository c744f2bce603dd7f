// The driver against a real server: what it sends, how it shares itself out, and what it says when
// it cannot.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <libpq-fe.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <future>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/drive/binding.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/shop.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::shared_sandbox;

constexpr auto kLimit = 30s;

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kLimit));
}

std::string number_of(const std::string& sql) {
  return std::string(connect().exec(sql, Deadline::in(kLimit)).text(0, 0));
}

Workload workload_of(const std::string& operations, const std::string& head = {}) {
  return parse_workload("version: 1\nname: w\n" + head + "operations:\n" + operations, "w.yaml");
}

LoadOptions load_of(Workload workload) {
  LoadOptions options;
  options.workload = std::move(workload);
  options.rate_per_s = 200;
  options.connections = 4;
  options.users = 10'000;
  options.duration = 2s;
  options.warmup = 200ms;
  return options;
}

constexpr const char* kOne = "  - {name: one, weight: 1, steps: [{sql: SELECT 1}]}\n";

std::filesystem::path write(const std::string& name, const std::string& text) {
  const auto path = testing_support::scratch_dir() / name;
  std::ofstream(path) << text;
  return path;
}

/// The server's text of one parameter, cast to `type`, as Binding sends it.
std::string round_trip(pg::Connection& connection, const Values& values, const std::string& type) {
  static int number = 0;
  const auto name = fmt::format("round_{}", number++);
  connection.prepare(name, fmt::format("SELECT $1::{}", type), Deadline::in(kLimit));
  const auto oid = connection.exec(fmt::format("SELECT parameter_types[1]::oid::int8 FROM "
                                               "pg_prepared_statements WHERE name = '{}'",
                                               name),
                                   Deadline::in(kLimit));
  Binding binding;
  binding.bind({0}, {static_cast<TypeOid>(oid.i64(0, 0))}, values);
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
      PQexecPrepared(connection.native(), name.c_str(), 1, binding.values(), binding.lengths(),
                     binding.formats(), 0),
      PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return PQresultErrorMessage(result.get());
  return PQgetvalue(result.get(), 0, 0);
}

TEST(LoadBindingTest, TheServerReadsEveryKindOfValueAsItsTextSays) {
  auto connection = connect();
  Values values;
  const auto expect_same = [&](const std::string& type) {
    const auto said = fmt::format("SELECT '{}'::{}", values.to_text(0), type);
    EXPECT_EQ(round_trip(connection, values, type),
              connection.exec(said, Deadline::in(kLimit)).text(0, 0))
        << said;
  };
  for (const std::int64_t number :
       {INT64_C(0), INT64_C(1), INT64_C(-1), INT64_C(99), INT64_C(100), INT64_C(9'999),
        INT64_C(10'000), INT64_C(1'000'000), INT64_C(123'456'789), INT64_C(-123'456'789'012),
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    values.reset(1);
    values.set_number(0, Value::Kind::integer, number);
    for (const char* type : {"int8", "numeric", "text", "float8"}) expect_same(type);
    if (number > -2'000'000'000 && number < 2'000'000'000) expect_same("int4");
    if (number > -30'000 && number < 30'000) expect_same("int2");
    if (number < 0) continue;  // money is never below nothing
    values.set_number(0, Value::Kind::cents, number);
    for (const char* type : {"numeric", "numeric(30,2)", "text"}) expect_same(type);
  }
  values.set_uuid(0, make_uuid(1, 2));
  for (const char* type : {"uuid", "text"}) expect_same(type);
  for (const std::int64_t day : {0, 10'956, 10'957, 20'400}) {
    values.set_number(0, Value::Kind::day, day);
    for (const char* type : {"date", "text", "timestamptz"}) expect_same(type);
  }
  values.set_number(0, Value::Kind::real, std::bit_cast<std::int64_t>(0.0125));
  for (const char* type : {"float8", "numeric", "text"}) expect_same(type);
  values.set_text(0, "1");
  for (const char* type : {"int4", "numeric", "varchar(10)", "text", "bool"}) expect_same(type);
  values.set_null(0);
  EXPECT_EQ(round_trip(connection, values, "int4"), "");
}

TEST(LoadBindingTest, AnIntegerThatDoesNotFitIsTheServersToRefuse) {
  auto connection = connect();
  Values values;
  values.reset(1);
  values.set_number(0, Value::Kind::integer, INT64_C(3'000'000'000));
  EXPECT_THAT(round_trip(connection, values, "int4"), HasSubstr("out of range"));
}

TEST(LoadThreadsTest, HoweverManyThreadsTheArrivalsAreTheSameAndNoneIsLost) {
  std::vector<std::int64_t> offered;
  for (const std::int64_t threads : {1, 3}) {
    auto options = load_of(workload_of(kOne));
    options.threads = threads;
    const auto result = run_and_judge(shared_sandbox().primary(), options);
    EXPECT_EQ(result.errors(), 0) << to_text(result);
    EXPECT_EQ(result.offered(), result.completed() + result.not_started());
    EXPECT_EQ(result.totals.client.threads, threads);
    std::int64_t in_windows = 0;
    std::int64_t measured = 0;
    std::int64_t last = INT64_MIN;
    for (const auto& window : result.totals.windows) {
      EXPECT_GT(window.second, last);
      last = window.second;
      in_windows += window.completed;
      if (window.phase == Phase::measured) measured += window.completed;
    }
    EXPECT_EQ(in_windows, result.completed() + result.totals.warmup_operations);
    EXPECT_EQ(measured, result.done_in_window());
    offered.push_back(result.offered());
  }
  EXPECT_EQ(offered[0], offered[1]);
}

TEST(LoadThreadsTest, AClosedLoopOnSeveralThreadsKeepsEveryConnectionBusy) {
  auto options =
      load_of(workload_of("  - {name: nap, weight: 1, steps: [{sql: SELECT "
                          "pg_sleep(0.02)}]}\n"));
  options.rate_per_s.reset();
  options.threads = 2;
  options.connections = 5;
  options.users = 9;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_LE(result.totals.users_peak, 9);
  EXPECT_LE(result.completed_per_s(), 5 / 0.02);
  EXPECT_GT(result.completed(), 5);
}

TEST(LoadPlanTest, ARampIsOfferedAsItRises) {
  auto options = load_of(workload_of(kOne));
  options.rate_per_s.reset();
  options.plan = parse_rate_plan("0:400:4s");
  options.arrivals = Arrivals::fixed;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_EQ(result.offered(), 800);
  EXPECT_EQ(result.options.duration, 4s);
  EXPECT_DOUBLE_EQ(result.options.rate_per_s.value(), 200);
  std::int64_t first_half = 0;
  for (const auto& window : result.totals.windows) {
    if (window.second >= 0 && window.second < 2) first_half += window.offered;
  }
  EXPECT_NEAR(static_cast<double>(first_half), 200, 60);  // the area below its first half
}

TEST(LoadUsersTest, ThousandsWhoThinkShareAFewConnections) {
  // Little's law: 3,000 people who think 5 s between two short operations bring 600 a second.
  auto options = load_of(workload_of(kOne, "think: 5s\n"));
  options.rate_per_s.reset();
  options.users = 3'000;
  options.connections = 8;
  options.duration = 3s;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_NEAR(result.completed_per_s(), 600, 90);
  EXPECT_LT(result.totals.users_peak, 3'000) << "those who think wait for nothing";
}

TEST(LoadWeightTest, AnOperationOfWeightZeroNeitherRunsNorIsPrepared) {
  // Its table does not exist, so the server would refuse to prepare it.
  const auto workload = workload_of(
      std::string(kOne) +
      "  - {name: off, weight: 0, steps: [{sql: DELETE FROM there_is_no_such_table}]}\n");
  for (const bool open : {true, false}) {
    auto options = load_of(workload);
    if (!open) options.rate_per_s.reset();
    options.duration = 1s;
    const auto result = run_and_judge(shared_sandbox().primary(), options);
    EXPECT_EQ(result.errors(), 0) << to_text(result);
    EXPECT_GT(result.completed(), 0);
    ASSERT_EQ(result.operations.size(), 1U);
    EXPECT_EQ(result.operations[0].name, "one");
  }
  // The control: with a weight it is prepared, and refused.
  auto options = load_of(workload);
  options.workload.operations[1].weight = 1;
  EXPECT_THROW((void)run_and_judge(shared_sandbox().primary(), options), Error);
}

TEST(LoadWindowsTest, TheFileAddsUpToTheResult) {
  auto options = load_of(workload_of(kOne));
  options.threads = 2;
  const auto path = testing_support::scratch_dir() / "windows.jsonl";
  options.windows_file = path.string();
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.windows_error, "");
  std::istringstream text(read_file(path));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_GT(lines.size(), 3U);
  EXPECT_EQ(lines.front()["operations"][0], "one");
  EXPECT_EQ(lines.back()["end"], true);
  std::int64_t completed = 0;
  std::int64_t counted = 0;
  std::int64_t measured = 0;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    if (lines[i]["warmup"] == false && lines[i]["drain"] == false) {
      measured += lines[i]["completed"].get<std::int64_t>();
    }
    completed += lines[i]["completed"].get<std::int64_t>();
    for (const auto& pair : lines[i]["operations"]["one"]["response_us"]) {
      counted += pair[1].get<std::int64_t>();
    }
  }
  EXPECT_EQ(completed, result.completed() + result.totals.warmup_operations);
  EXPECT_EQ(counted, completed);
  EXPECT_EQ(measured, result.done_in_window());
}

TEST(LoadRefusalTest, AnUnknownColumnIsToldWithItsFileLineAndTheServersWords) {
  const auto file =
      write("column.yaml",
            "version: 1\nname: w\noperations:\n  - name: a\n    weight: 1\n    steps:\n"
            "      - sql: SELECT 1\n      - sql: SELECT shelf FROM pg_class\n");
  const auto json = testing_support::scratch_dir() / "column.json";
  const auto run = testing_support::run_binary(
      places::binary, {"--dsn", testing_support::dsn_of(shared_sandbox().primary()), "load", "run",
                       "--rate", "10", "--workload", file.string(), "--out", json.string()});
  EXPECT_EQ(run.exit_code, 1) << run.output;
  EXPECT_THAT(run.output, HasSubstr("column.yaml:8: the server refuses this statement: "));
  EXPECT_THAT(run.output, HasSubstr("column \"shelf\" does not exist"));
  EXPECT_FALSE(std::filesystem::exists(json));
}

TEST(LoadRefusalTest, MoreConnectionsThanTheServerHasIsAnErrorWithTheNumbers) {
  const auto max = std::stoll(number_of("SELECT current_setting('max_connections')"));
  auto options = load_of(workload_of(kOne));
  options.connections = max + 5;
  try {
    (void)run_and_judge(shared_sandbox().primary(), options);
    FAIL() << "it found room";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("no room for {} connections", max + 5)));
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("max_connections is {}", max)));
  }
}

TEST(LoadRefusalTest, OptionsThatContradictEachOtherAreUsageErrors) {
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  const auto exit_of = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"--dsn", dsn, "load", "run"};
    all.insert(all.end(), more.begin(), more.end());
    return testing_support::run_binary(places::binary, all).exit_code;
  };
  EXPECT_EQ(exit_of({}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--ramp", "1:2:5s"}), 2);
  EXPECT_EQ(exit_of({"--ramp", "1:2:5s", "--duration", "9s"}), 2);
  EXPECT_EQ(exit_of({"--ramp", "0:5s"}), 2);
  EXPECT_EQ(exit_of({"--rate", "max", "--curve", "day"}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--curve", "night"}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--arrivals", "never"}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--threads", "0"}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--threads", "3", "--connections", "2"}), 2);
  EXPECT_EQ(exit_of({"--rate", "5", "--only", "no such thing"}), 2);
}

class LoadWorkloadTest : public testing::TestWithParam<std::string> {};

/// Each operation alone, so that the rare ones run as well, in both modes.
TEST_P(LoadWorkloadTest, EveryOperationRunsWithoutAnError) {
  testing_support::seed_shop(shared_sandbox().primary());
  const auto whole = load_workload(GetParam());
  for (const auto& operation : whole.operations) {
    for (const auto mode : {Mode::faithful, Mode::pipelined}) {
      auto options = load_of(whole.only(operation.name));
      options.rate_per_s = 60;
      options.duration = 500ms;
      options.warmup = 0ms;
      options.mode = mode;
      const auto result = run_and_judge(shared_sandbox().primary(), options);
      EXPECT_EQ(result.errors(), 0) << operation.name << "\n" << to_text(result);
      EXPECT_GT(result.completed(), 0) << operation.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, LoadWorkloadTest,
                         testing::Values("grocery", "grocery-improved", "grocery-plan"),
                         [](const auto& which) {
                           auto name = which.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(LoadBasketTest, ABasketTakesFromTheStockWhatItSells) {
  const auto sum = [](const std::string& sql) { return std::stoll(number_of(sql)); };
  testing_support::seed_shop(shared_sandbox().primary());
  const auto stock = sum("SELECT sum(stock) FROM products");
  const auto lines = sum("SELECT count(*) FROM sales");
  const auto sold = sum("SELECT sum(quantity) FROM sales");
  auto options = load_of(load_workload("grocery-plan").only("checkout"));
  options.rate_per_s = 50;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  const auto sales = sum("SELECT sum(quantity) FROM sales") - sold;
  EXPECT_EQ(sum("SELECT sum(stock) FROM products"), stock - sales);
  const auto baskets = result.completed() + result.totals.warmup_operations;
  EXPECT_GT(sum("SELECT count(*) FROM sales") - lines, 3 * baskets) << "ten lines on average";
}

/// Last in the file: it leaves the server running again, but its sessions are new.
TEST(LoadRefusalTest, AServerThatDiesForGoodMakesAWholeResultThatSaysSo) {
  const auto file = write("one.yaml", "version: 1\nname: w\noperations:\n" + std::string(kOne));
  const auto json = testing_support::scratch_dir() / "dies.json";
  const auto windows = testing_support::scratch_dir() / "dies.jsonl";
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  auto running = std::async(std::launch::async, [&] {
    return testing_support::run_binary(
        places::binary,
        {"--dsn", dsn, "load", "run", "--rate", "100", "--duration", "8s", "--warmup", "0s",
         "--drain-limit", "1s", "--workload", file.string(), "--out", json.string(), "--windows",
         windows.string()},
        90s);
  });
  // By the seconds of the run itself, which it writes down.
  for (const auto limit = Deadline::in(60s); !limit.expired();) {
    const auto text = try_read_file(windows).value_or("");
    if (text.find("\"second\":3,") != std::string::npos) break;
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_FALSE(std::filesystem::exists(json)) << "no result before the end";
  shared_sandbox().kill_primary();
  const auto run = running.get();
  shared_sandbox().start_primary();
  EXPECT_EQ(run.exit_code, 1) << run.output;
  EXPECT_THAT(run.output, HasSubstr("verdict: FAIL"));
  const auto result = nlohmann::json::parse(read_file(json));
  ASSERT_FALSE(result["outages"].empty());
  EXPECT_TRUE(result["outages"][0]["to_s"].is_null()) << "it never came back";
  EXPECT_GT(result["completed"].get<std::int64_t>(), 0);
  EXPECT_GT(result["not_started"].get<std::int64_t>(), 0);
  EXPECT_EQ(result["offered"].get<std::int64_t>(), result["completed"].get<std::int64_t>() +
                                                       result["errors"].get<std::int64_t>() +
                                                       result["not_started"].get<std::int64_t>());
  EXPECT_THAT(read_file(windows), HasSubstr("{\"end\":true"));
}

}  // namespace
}  // namespace pantryd::loadgen
