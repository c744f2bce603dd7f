// What a workload file says against a real server: captures, retries, repeats, invariants, and the
// queue. The stories: a capture of a column that did not exist was NULL, every UPDATE behind it was
// skipped, and the run passed while its queue grew; a retry repeated statements that were
// committed, so 98 operations left 196 rows; and a run that lost money passed.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing_support::run_binary;
using testing_support::shared_sandbox;
using Outcome = InvariantResult::Outcome;

constexpr auto kLimit = 30s;

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kLimit));
}

void run_sql(const std::string& script) {
  (void)connect().exec_script(script, Deadline::in(kLimit));
}

std::int64_t number_of(const std::string& sql) {
  return connect().exec(sql, Deadline::in(kLimit)).i64(0, 0);
}

Workload workload_of(const std::string& operations, const std::string& head = {}) {
  return parse_workload("version: 1\nname: w\n" + head + "operations:\n" + operations, "w.yaml");
}

/// Without a warm-up, so that the rows in the tables are those of the counted operations.
LoadOptions load_of(Workload workload, Mode mode = Mode::faithful) {
  LoadOptions options;
  options.workload = std::move(workload);
  options.rate_per_s = 60;
  options.connections = 1;
  options.users = 10'000;
  options.duration = 500ms;
  options.warmup = 0s;
  options.mode = mode;
  options.evidence = false;
  return options;
}

LoadResult run(const LoadOptions& options) {
  return run_and_judge(shared_sandbox().primary(), options);
}

std::string written(const std::string& name, const std::string& text) {
  const auto path = testing_support::scratch_dir() / name;
  write_file_atomically(path, text);
  return path.string();
}

/// "MESSAGE | HINT" of a workload that is refused before the run.
std::string refusal_of(const std::string& operations) {
  try {
    (void)run(load_of(workload_of(operations)));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "accepted";
}

TEST(LoadCaptureTest, AColumnThatDoesNotExistIsRefusedWithItsPlaceAndThoseThatDo) {
  const auto step = [](const std::string& column) {
    return "  - name: take\n    weight: 1\n    steps:\n"
           "      - sql: SELECT oid AS id, relname AS payload FROM pg_class LIMIT 1\n"
           "        capture: {job: " +
           column + "}\n      - {sql: 'SELECT $1::oid', when: $job, params: [$job]}\n";
  };
  EXPECT_EQ(refusal_of(step("idd")),
            "w.yaml:8:24: step 1 of the operation \"take\" (prepared as pantryd_load_0) returns no "
            "column \"idd\" | The statement returns: id, payload.");
  EXPECT_EQ(refusal_of(step("id")), "accepted");
}

TEST(LoadCaptureTest, TheCommandEndsBeforeTheRunAndNamesFileLineAndColumn) {
  const auto text = [](const std::string& column) {
    return "version: 1\nname: w\noperations:\n  - name: a\n    weight: 1\n    steps:\n"
           "      - {sql: SELECT 1 AS one, capture: {x: " +
           column + "}}\n";
  };
  const auto exit_of = [&](const std::string& column, std::string& output) {
    const auto result =
        run_binary(places::binary, {"--dsn", testing_support::dsn_of(shared_sandbox().primary()),
                                    "load", "run", "--rate", "50", "--duration", "1s", "--warmup",
                                    "0s", "--workload", written("capture.yaml", text(column))});
    output = result.output;
    return result.exit_code;
  };
  std::string output;
  EXPECT_EQ(exit_of("once", output), 1);
  EXPECT_THAT(output, AllOf(HasSubstr("capture.yaml:7:45: step 1 of the operation \"a\""),
                            HasSubstr("\nHINT: The statement returns: one.")));
  EXPECT_NE(exit_of("one", output), 1);
  EXPECT_THAT(output, HasSubstr("verdict: "));
}

TEST(LoadCaptureTest, AStatementWithoutRowsHasNothingToCaptureOrToExpect) {
  run_sql("DROP TABLE IF EXISTS plain; CREATE TABLE plain (id integer)");
  const auto step = [](const std::string& rest) {
    return "  - {name: a, weight: 1, steps: [{sql: " + rest + "}]}\n";
  };
  EXPECT_THAT(
      refusal_of(step("INSERT INTO plain VALUES (1), capture: {x: id}")),
      AllOf(StartsWith("w.yaml:4:83: "), HasSubstr("returns no rows"), HasSubstr("Add RETURNING")));
  EXPECT_EQ(refusal_of(step("INSERT INTO plain VALUES (1) RETURNING id, capture: {x: id}")),
            "accepted");
  EXPECT_THAT(refusal_of(step("SET work_mem = 1024, expect_rows: 1")),
              AllOf(StartsWith("w.yaml:4:74: "), HasSubstr("neither returns nor changes rows")));
  EXPECT_EQ(refusal_of(step("INSERT INTO plain VALUES (1), expect_rows: 1")), "accepted");
}

TEST(LoadCaptureTest, AnErrorAboutUntypedParametersAdvisesCasts) {
  const auto step = [](const std::string& sql) {
    return "  - {name: a, weight: 1, steps: [{sql: '" + sql +
           "', params: [{int: [1, 5]}, {int: [1, 5]}]}]}\n";
  };
  EXPECT_THAT(refusal_of(step("SELECT $1 * $2")), AllOf(HasSubstr("operator is not unique"),
                                                        HasSubstr("write casts, such as $1::int")));
  EXPECT_EQ(refusal_of(step("SELECT $1::int * $2::numeric")), "accepted");
}

/// Fails with 40001 until it was called `times` + 1 times; sequences are not rolled back.
constexpr const char* kFlaky =
    "DROP TABLE IF EXISTS before_it, after_it; DROP SEQUENCE IF EXISTS calls CASCADE;"
    "CREATE TABLE before_it (id uuid); CREATE TABLE after_it (id uuid);"
    "CREATE SEQUENCE calls MINVALUE 0;"
    "CREATE OR REPLACE FUNCTION flaky(times integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN "
    "IF nextval('calls') % (times + 1) <> times THEN "
    "RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END IF; RETURN 1; END $$;";

std::string flaky_operation(bool transaction) {
  return fmt::format(
      "  - name: a\n    weight: 1\n    transaction: {}\n    let: {{id: {{uuid: {{}}}}}}\n"
      "    steps:\n"
      "      - {{sql: INSERT INTO before_it VALUES ($1), params: [$id]}}\n"
      "      - sql: SELECT flaky(2)\n"
      "      - {{sql: INSERT INTO after_it VALUES ($1), params: [$id]}}\n",
      transaction);
}

constexpr const char* kHasty = "retries: {most: 5, pause: 1ms, pause_max: 2ms}\n";

class LoadRetryTest : public testing::TestWithParam<std::pair<bool, Mode>> {};

TEST_P(LoadRetryTest, LeavesTheRowsOfEachOperationOnce) {
  run_sql(kFlaky);
  const auto [transaction, mode] = GetParam();
  const auto result = run(load_of(workload_of(flaky_operation(transaction), kHasty), mode));
  const auto& totals = result.operations[0].totals;
  EXPECT_EQ(totals.completed, totals.offered) << to_text(result);
  EXPECT_GT(totals.completed, 15);
  EXPECT_EQ(totals.retries, 2 * totals.offered);
  EXPECT_EQ(totals.attempts, 3 * totals.offered);
  EXPECT_EQ(totals.gave_up, 0);
  EXPECT_EQ(number_of("SELECT count(*) FROM before_it"), totals.completed);
  EXPECT_EQ(number_of("SELECT count(*) FROM after_it"), totals.completed);
  EXPECT_EQ(number_of("SELECT count(*) FROM before_it JOIN after_it USING (id)"), totals.completed)
      << "the same values in every attempt";
}

INSTANTIATE_TEST_SUITE_P(ByTransactionAndMode, LoadRetryTest,
                         testing::Values(std::pair(true, Mode::faithful),
                                         std::pair(true, Mode::pipelined),
                                         std::pair(false, Mode::faithful),
                                         std::pair(false, Mode::pipelined)),
                         [](const auto& which) {
                           return std::string(which.param.first ? "Transaction" : "Statements") +
                                  std::string(to_string(which.param.second));
                         });

TEST(LoadRetryBlockTest, StepsBeforeABeginOfTheirOwnStay) {
  for (const auto mode : {Mode::faithful, Mode::pipelined}) {
    run_sql(kFlaky);
    const auto result = run(
        load_of(workload_of("  - name: a\n    weight: 1\n    let: {id: {uuid: {}}}\n    steps:\n"
                            "      - {sql: INSERT INTO before_it VALUES ($1), params: [$id]}\n"
                            "      - sql: BEGIN ISOLATION LEVEL SERIALIZABLE\n"
                            "      - {sql: INSERT INTO after_it VALUES ($1), params: [$id]}\n"
                            "      - sql: SELECT flaky(2)\n      - sql: COMMIT\n",
                            kHasty),
                mode));
    const auto& totals = result.operations[0].totals;
    EXPECT_EQ(totals.completed, totals.offered) << to_text(result);
    EXPECT_EQ(totals.retries, 2 * totals.offered);
    EXPECT_EQ(number_of("SELECT count(*) FROM before_it"), totals.completed);
    EXPECT_EQ(number_of("SELECT count(*) FROM after_it"), totals.completed);
  }
}

TEST(LoadRetryBlockTest, ARepeatGoesOnWhereItWas) {
  run_sql(
      "CREATE OR REPLACE FUNCTION fails_second() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN "
      "IF nextval('calls') % 5 = 1 THEN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; "
      "END IF; RETURN 1; END $$");
  for (const auto mode : {Mode::faithful, Mode::pipelined}) {
    for (const bool transaction : {true, false}) {
      run_sql(kFlaky);
      run_sql("DROP TABLE IF EXISTS lines; CREATE TABLE lines (owner uuid, line integer, a text)");
      const auto result = run(load_of(
          workload_of(fmt::format("  - name: a\n    weight: 1\n    transaction: {}\n"
                                  "    let: {{id: {{uuid: {{}}}}}}\n    steps:\n"
                                  "      - repeat: {{from: 3, to: 3, as: line}}\n"
                                  "        let: {{item: {{int: [1, 1000000]}}}}\n        steps:\n"
                                  "          - sql: INSERT INTO lines VALUES ($1, $2, $3)\n"
                                  "            params: [$id, $line, $item]\n"
                                  "          - sql: SELECT fails_second()\n",
                                  transaction),
                      kHasty),
          mode));
      const auto& totals = result.operations[0].totals;
      EXPECT_EQ(totals.completed, totals.offered) << to_text(result);
      EXPECT_GE(totals.retries, totals.offered / 2);
      // Five calls an operation where all three repetitions are repeated, four where only one is.
      const bool alone = !transaction && mode == Mode::faithful;
      if (!alone) {
        EXPECT_EQ(totals.retries, totals.offered);
      }
      EXPECT_EQ(number_of("SELECT count(*) FROM lines"), 3 * totals.completed);
      EXPECT_EQ(number_of("SELECT count(DISTINCT (owner, line)) FROM lines"), 3 * totals.completed);
    }
  }
}

TEST(LoadRetryLimitTest, UsedUpRetriesAreErrorsAlsoWhereTheCodeIsARefusal) {
  run_sql(kFlaky);
  const auto operation =
      "  - {name: a, weight: 1, refusals: ['40001'], steps: [{sql: SELECT flaky(1000000)}]}\n";
  auto result =
      run(load_of(workload_of(operation, "retries: {most: 2, pause: 1ms, pause_max: 2ms}\n")));
  const auto& tried = result.operations[0].totals;
  EXPECT_EQ(tried.errors, tried.offered) << to_text(result);
  EXPECT_EQ(tried.refused, 0);
  EXPECT_EQ(tried.attempts, 3 * tried.offered);
  EXPECT_EQ(tried.gave_up, tried.offered);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(result.totals.errors.at("40001").first_message, "try again; its 2 retries are used up");
  // The control: an operation that is not tried again is turned down, as the workload expects.
  result = run(load_of(workload_of(operation, "retries: 0\n")));
  const auto& refused = result.operations[0].totals;
  EXPECT_EQ(refused.refused, refused.offered) << to_text(result);
  EXPECT_EQ(refused.attempts, refused.offered);
  EXPECT_EQ(refused.gave_up, 0);
}

TEST(LoadRetryLimitTest, WhatMayHaveCommittedByItselfIsNotRepeated) {
  run_sql(kFlaky);
  run_sql(
      "CREATE OR REPLACE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO before_it "
      "VALUES (gen_random_uuid()); COMMIT; PERFORM flaky(1000000); END $$");
  const auto result =
      run(load_of(workload_of("  - {name: a, weight: 1, steps: [{sql: CALL commits()}]}\n")));
  const auto& totals = result.operations[0].totals;
  EXPECT_EQ(totals.errors, totals.offered) << to_text(result);
  EXPECT_EQ(totals.attempts, totals.offered);
  EXPECT_EQ(number_of("SELECT count(*) FROM before_it"), totals.offered);
  EXPECT_THAT(result.totals.errors.at("40001").first_message,
              HasSubstr("it may have committed a part"));
}

TEST(LoadRetryPauseTest, AnOperationWaitsAndTheOthersDoNot) {
  run_sql(kFlaky);
  auto options =
      load_of(workload_of("  - {name: hot, weight: 1, steps: [{sql: SELECT flaky(2)}]}\n"
                          "  - {name: cold, weight: 19, steps: [{sql: SELECT 1}]}\n",
                          "retries: {most: 30, pause: 100ms, pause_max: 200ms}\n"));
  options.rate_per_s = 80;
  options.connections = 20;
  options.duration = 3s;
  const auto result = run(options);
  const auto& hot = result.operations[0].totals;
  const auto& cold = result.operations[1].totals;
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  ASSERT_GT(hot.retries, 0);
  // Operations share the sequence, so one may be lucky at once; on the whole there are two retries.
  EXPECT_NEAR(static_cast<double>(hot.retries), 2.0 * static_cast<double>(hot.completed),
              0.1 * static_cast<double>(hot.completed) + 3);
  const double waited_us =
      hot.service.mean_us() * static_cast<double>(hot.completed) / static_cast<double>(hot.retries);
  EXPECT_GT(waited_us, 50'000) << "at least half of the first pause, each time";
  EXPECT_LT(cold.service.quantile_us(0.5), 20'000) << "nothing else waited for it";
  EXPECT_EQ(cold.retries, 0);
}

TEST(LoadRetryPauseTest, WhatStillWaitsAtTheEndIsUnfinished) {
  run_sql(kFlaky);
  auto options =
      load_of(workload_of("  - {name: a, weight: 1, steps: [{sql: SELECT flaky(1000000)}]}\n",
                          "retries: {most: 5, pause: 30s, pause_max: 30s}\n"));
  options.connections = 4;
  options.drain_limit = 200ms;
  const auto began = SteadyClock::now();
  const auto result = run(options);
  EXPECT_LT(SteadyClock::now() - began, 15s) << "the pause is no part of the run";
  EXPECT_EQ(result.totals.errors.at("unfinished").count, 4) << to_text(result);
  EXPECT_EQ(result.offered(), result.errors() + result.not_started());
}

TEST(LoadRetryConflictTest, CountersLoseNoUpdateUnderRealConflicts) {
  run_sql("DROP TABLE IF EXISTS counter; CREATE TABLE counter AS SELECT 0 AS value");
  auto options = load_of(
      workload_of("  - name: add\n    weight: 1\n    steps:\n"
                  "      - sql: BEGIN ISOLATION LEVEL REPEATABLE READ\n"
                  "      - {sql: SELECT value FROM counter, capture: {value: value}}\n"
                  "      - {sql: 'UPDATE counter SET value = $1::integer + 1', params: [$value]}\n"
                  "      - sql: COMMIT\n",
                  "retries: {most: 100, pause: 1ms, pause_max: 20ms}\n"));
  options.rate_per_s.reset();
  options.connections = options.users = 6;
  const auto result = run(options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_GT(result.operations[0].totals.retries, 0) << "they did collide";
  EXPECT_EQ(number_of("SELECT value FROM counter"), result.completed());
}

TEST(LoadRetryStaleTest, AColumnThatIsAddedRepeatsNothingThatIsCommitted) {
  run_sql(kFlaky);
  run_sql("DROP TABLE IF EXISTS wide; CREATE TABLE wide (a integer); INSERT INTO wide VALUES (1)");
  auto options = load_of(workload_of(
      "  - name: a\n    weight: 1\n    let: {id: {uuid: {}}}\n    steps:\n"
      "      - {sql: INSERT INTO before_it VALUES ($1), params: [$id]}\n"
      "      - {sql: SELECT * FROM wide, capture: {a: a}}\n"
      "      - {sql: 'INSERT INTO after_it VALUES ($1)', params: [$id], when: $a = 1}\n"));
  options.connections = 3;
  options.duration = 2s;
  std::thread other([] {
    std::this_thread::sleep_for(1s);
    run_sql("ALTER TABLE wide ADD COLUMN b integer");
  });
  const auto result = run(options);
  other.join();
  EXPECT_EQ(result.errors() + result.not_started(), 0) << to_text(result);
  EXPECT_GT(result.operations[0].totals.retries, 0);
  EXPECT_EQ(number_of("SELECT count(*) FROM before_it"), result.completed());
  EXPECT_EQ(number_of("SELECT count(*) FROM after_it"), result.completed());
}

TEST(LoadRepeatTest, AnOrderHasFiveToFifteenLinesEachWithItsOwnItem) {
  for (const auto mode : {Mode::faithful, Mode::pipelined}) {
    run_sql(
        "DROP TABLE IF EXISTS order_lines, orders, items;"
        "CREATE TABLE items AS SELECT i AS id, i * 0.5 AS price FROM generate_series(1, 1000) i;"
        "CREATE UNIQUE INDEX ON items (id);"
        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer "
        "integer);"
        "CREATE TABLE order_lines (order_id bigint REFERENCES orders, line integer, item integer,"
        " price numeric, PRIMARY KEY (order_id, line))");
    const auto result = run(load_of(
        workload_of(
            "  - name: order\n    weight: 1\n    transaction: true\n    steps:\n"
            "      - sql: INSERT INTO orders (customer) VALUES ($1) RETURNING id\n"
            "        params: [{int: [1, 3000]}]\n        capture: {order: id}\n"
            "      - repeat: {from: 5, to: 15, as: line}\n"
            "        let: {item: {int: [1, 1000]}}\n        steps:\n"
            "          - sql: SELECT price FROM items WHERE id = $1\n            params: [$item]\n"
            "            capture: {price: price}\n            expect_rows: 1\n"
            "          - sql: INSERT INTO order_lines VALUES ($1, $2, $3, $4::numeric)\n"
            "            params: [$order, $line, $item, $price]\n"),
        mode));
    EXPECT_EQ(result.errors(), 0) << to_text(result);
    const auto orders = result.completed();
    EXPECT_EQ(number_of("SELECT count(*) FROM orders"), orders);
    const auto lines = connect().exec(
        "SELECT count(*), min(n), max(n), avg(n) FROM (SELECT count(*) AS n FROM order_lines "
        "GROUP BY order_id HAVING min(line) = 1 AND max(line) = count(*)) AS x",
        Deadline::in(kLimit));
    EXPECT_EQ(lines.i64(0, 0), orders);
    EXPECT_GE(lines.i64(0, 1), 5);
    EXPECT_LE(lines.i64(0, 2), 15);
    EXPECT_NEAR(lines.f64(0, 3), 10, 2);
    EXPECT_EQ(number_of("SELECT count(*) FROM order_lines l JOIN items i ON i.id = l.item "
                        "WHERE l.price <> i.price"),
              0)
        << "each line has the price of its own item";
    EXPECT_GT(number_of("SELECT count(DISTINCT item) FROM order_lines"), 100);
  }
}

TEST(LoadRepeatTest, ManyRepetitionsPipelinedAreSentInSeveralRoundTrips) {
  run_sql("DROP TABLE IF EXISTS plain; CREATE TABLE plain (id integer)");
  auto options = load_of(
      workload_of("  - name: a\n    weight: 1\n    transaction: true\n    steps:\n"
                  "      - repeat: {from: 900, to: 900, as: line}\n"
                  "        steps: [{sql: INSERT INTO plain VALUES ($1), params: [$line]}]\n"),
      Mode::pipelined);
  options.rate_per_s = 5;
  const auto result = run(options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_EQ(number_of("SELECT count(*) FROM plain"), 900 * result.completed());
  EXPECT_EQ(number_of("SELECT count(DISTINCT id) FROM plain"), result.completed() > 0 ? 900 : 0);
}

constexpr const char* kAccounts =
    "DROP TABLE IF EXISTS accounts;"
    "CREATE TABLE accounts AS SELECT i AS id, 1000::numeric(20,2) AS balance "
    "FROM generate_series(1, 10) i";

constexpr const char* kMoney =
    "invariant:\n"
    "  - {name: money, sql: SELECT sum(balance) FROM accounts}\n"
    "  - {name: rows, sql: 'SELECT count(*) = 10, count(*) FROM accounts'}\n";

std::string transfer(bool whole) {
  return std::string(
             "  - name: transfer\n    weight: 1\n    slo: {p99: 1s}\n    transaction: true\n"
             "    steps:\n"
             "      - sql: UPDATE accounts SET balance = balance - 1 WHERE id = 1\n") +
         (whole ? "      - sql: UPDATE accounts SET balance = balance + 1.0 WHERE id = 2\n" : "");
}

TEST(LoadInvariantTest, MoneyThatIsLostIsFailWithBothValues) {
  run_sql(kAccounts);
  auto result = run(load_of(workload_of(transfer(true), kMoney)));
  ASSERT_EQ(result.invariants.size(), 2U);
  for (const auto& each : result.invariants) EXPECT_EQ(each.outcome(), Outcome::held);
  EXPECT_NE(result.verdict, Verdict::fail) << to_text(result);
  run_sql(kAccounts);
  result = run(load_of(workload_of(transfer(false), kMoney)));
  EXPECT_EQ(result.errors(), 0) << "every operation succeeded";
  EXPECT_EQ(result.verdict, Verdict::fail) << to_text(result);
  EXPECT_EQ(result.invariants[0].outcome(), Outcome::broken);
  EXPECT_EQ(result.invariants[0].before.shown, "10000");
  EXPECT_EQ(result.invariants[0].after.shown, std::to_string(10'000 - result.completed()));
  EXPECT_EQ(result.invariants[1].outcome(), Outcome::held);
}

TEST(LoadInvariantTest, OneThatCannotBeReadIsInconclusive) {
  run_sql(kAccounts);
  const auto invariant = [](const std::string& sql) {
    return run(
        load_of(workload_of(transfer(true), "invariant: [{name: n, sql: '" + sql + "'}]\n")));
  };
  const auto missing = invariant("SELECT count(*) FROM there_is_no_such_table");
  EXPECT_EQ(missing.verdict, Verdict::inconclusive) << to_text(missing);
  EXPECT_EQ(missing.reason, Reason::unreadable);
  EXPECT_THAT(missing.invariants[0].sentence(),
              AllOf(StartsWith("w.yaml:3:28: the invariant \"n\" could not be read before"),
                    HasSubstr("does not exist")));
  EXPECT_GT(missing.completed(), 0);
  EXPECT_EQ(invariant("SELECT id FROM accounts").verdict, Verdict::inconclusive) << "ten rows";
  EXPECT_EQ(invariant("SELECT id FROM accounts WHERE false").verdict, Verdict::inconclusive);
  EXPECT_EQ(invariant("SELECT NULL::boolean").verdict, Verdict::inconclusive);
  EXPECT_EQ(invariant("SELECT pg_sleep(9)', limit: '100ms").verdict, Verdict::inconclusive);
  EXPECT_EQ(invariant("DELETE FROM accounts RETURNING 1").verdict, Verdict::inconclusive);
  EXPECT_EQ(number_of("SELECT count(*) FROM accounts"), 10) << "invariants only read";
}

TEST(LoadInvariantTest, TheCommandEndsWithOneAndAClaimJudgedByTheLoadFails) {
  run_sql(kAccounts);
  const auto dsn = testing_support::dsn_of(shared_sandbox().primary());
  const auto file = written("money.yaml", std::string("version: 1\nname: w\n") + kMoney +
                                              "operations:\n" + transfer(false));
  const auto json = testing_support::scratch_dir() / "money.json";
  const auto run =
      run_binary(places::binary, {"--dsn", dsn, "load", "run", "--rate", "50", "--duration", "1s",
                                  "--warmup", "0s", "--workload", file, "--out", json.string()});
  EXPECT_EQ(run.exit_code, 1) << run.output;
  EXPECT_THAT(run.output, HasSubstr("The invariant \"money\" is broken: 10000 before the load"));
  EXPECT_EQ(nlohmann::json::parse(read_file(json))["invariants"][0]["outcome"], "broken");
  const auto claims = written("money-claims.yaml",
                              "version: 1\nclaims:\n"
                              "  - {id: fast, text: t, check: latency, limit: 5s, duration: 1s}\n");
  const auto verdict_of = [&](const std::string& workload) {
    const auto out = testing_support::scratch_dir() / "money-report";
    const auto sheet = run_binary(places::binary,
                                  {"--dsn", dsn, "validate", "--claims", claims, "--workload",
                                   workload, "--budget", "5s", "--out", out.string()},
                                  90s);
    const auto claim = nlohmann::json::parse(read_file(out / "claims.json"))["claims"][0];
    return claim["verdict"].get<std::string>() + " " + claim["evidence"].dump();
  };
  EXPECT_THAT(verdict_of(file), AllOf(StartsWith("FAIL"), HasSubstr("is broken")));
  run_sql(kAccounts);
  const auto good = written("whole-money.yaml", std::string("version: 1\nname: w\n") + kMoney +
                                                    "operations:\n" + transfer(true));
  EXPECT_THAT(verdict_of(good), testing::Not(StartsWith("FAIL")));
}

/// The statements that config/workloads/queue.yaml says to run first, as a reader copies them.
std::string setup_of_the_queue() {
  std::istringstream file(
      read_file(std::string(places::source_dir) + "/config/workloads/queue.yaml"));
  std::string out;
  for (std::string line; std::getline(file, line) && line.starts_with("#");) {
    if (line.starts_with("#   ")) out += line.substr(1) + "\n";
  }
  EXPECT_THAT(out, HasSubstr("CREATE TABLE queue_jobs"));
  return out;
}

LoadOptions queue_load(Workload workload) {
  run_sql("DROP TABLE IF EXISTS queue_jobs, queue_log;" + setup_of_the_queue());
  auto options = load_of(std::move(workload));
  options.connections = 8;
  options.rate_per_s = 300;
  options.duration = 5s;
  return options;
}

TEST(LoadQueueTest, EveryJobIsDoneOnceAndTheQueueStaysShort) {
  const auto result = run(queue_load(load_workload("queue")));
  EXPECT_EQ(result.errors() + result.not_started(), 0) << to_text(result);
  ASSERT_EQ(result.invariants.size(), 3U);
  for (const auto& each : result.invariants) {
    EXPECT_EQ(each.outcome(), Outcome::held) << each.sentence();
  }
  EXPECT_GT(number_of("SELECT count(*) FROM queue_log"), 300);
  EXPECT_EQ(number_of("SELECT count(*) FROM queue_log"),
            number_of("SELECT count(*) FROM queue_jobs WHERE done"));
  EXPECT_LT(number_of("SELECT count(*) FROM queue_jobs WHERE NOT done"), 300);
}

TEST(LoadQueueTest, WithoutItsLockTwoWorkersDoOneJobAndTheInvariantFindsIt) {
  auto text = read_file(std::string(places::source_dir) + "/config/workloads/queue.yaml");
  const std::string lock = "FOR UPDATE SKIP LOCKED\n        capture";
  const auto at = text.find(lock);
  ASSERT_NE(at, std::string::npos);
  text.erase(at, std::string("FOR UPDATE SKIP LOCKED").size());
  auto options = queue_load(parse_workload(text, "queue.yaml"));
  options.rate_per_s.reset();
  options.users = options.connections;
  options.duration = 2s;
  const auto result = run(options);
  EXPECT_EQ(result.invariants[0].outcome(), Outcome::broken) << to_text(result);
  EXPECT_EQ(result.invariants[0].before.shown, "true");
  EXPECT_EQ(result.invariants[0].after.shown, "false");
  EXPECT_EQ(result.verdict, Verdict::fail);
}

}  // namespace
}  // namespace pantryd::loadgen
