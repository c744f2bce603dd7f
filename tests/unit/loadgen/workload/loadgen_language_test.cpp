// The language of a workload file: repeats, captures, conditions, retries and invariants, and what
// is refused with its place.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/error.h"
#include "loadgen/drive/returned_columns.h"
#include "loadgen/workload/cursor.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string with_steps(const std::string& steps, const std::string& more = {}) {
  return "version: 1\nname: w\noperations:\n  - name: a\n    weight: 1\n" + more + "    steps:\n" +
         steps;
}

/// "MESSAGE | HINT" of what is refused.
std::string error_of(const std::string& yaml) {
  try {
    (void)parse_workload(yaml, "w.yaml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "accepted";
}

Workload workload_of(const std::string& steps, const std::string& more = {}) {
  return parse_workload(with_steps(steps, more), "w.yaml");
}

/// The statements of one operation in the order in which they run, with their first parameter.
std::vector<std::string> run_through(const Workload& workload, std::uint64_t seed) {
  const auto& operation = workload.operations[0];
  const ValueSource source(workload, std::nullopt, 1);
  Values values;
  source.draw(operation, seed, values);
  const Work work{operation, source, seed, values};
  std::vector<std::string> out;
  Cursor cursor;
  for (cursor.settle(work); !cursor.done(operation); cursor.settle(work)) {
    const auto& step = operation.steps[cursor.step()];
    out.push_back(step.sql +
                  (step.params.empty() ? "" : "=" + values.to_text(step.params.front())));
    cursor.pass();
  }
  return out;
}

TEST(RepeatTest, AStepRunsAsOftenAsItSays) {
  const auto workload = workload_of(
      "      - sql: A\n      - {sql: B, repeat: 3}\n      - {sql: C, repeat: 1}\n      - sql: D\n");
  EXPECT_THAT(run_through(workload, 1), ElementsAre("A", "B", "B", "B", "C", "D"));
}

TEST(RepeatTest, AGroupRunsInItsOrderAndNumbersItsRepetitions) {
  const auto workload = workload_of(
      "      - repeat: {from: 2, to: 2, as: line}\n        steps:\n"
      "          - {sql: A $1, params: [$line]}\n          - sql: B\n",
      "    transaction: true\n");
  EXPECT_THAT(run_through(workload, 1),
              ElementsAre("BEGIN", "A $1=1", "B", "A $1=2", "B", "COMMIT"));
}

TEST(RepeatTest, ARangeIsDrawnFromTheSeedAndReachesBothEnds) {
  const auto workload = workload_of("      - {sql: A, repeat: {from: 5, to: 15}}\n");
  std::map<std::size_t, int> seen;
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    const auto lines = run_through(workload, seed).size();
    EXPECT_EQ(lines, run_through(workload, seed).size());
    ++seen[lines];
  }
  EXPECT_EQ(seen.size(), 11U);
  EXPECT_EQ(seen.begin()->first, 5U);
  EXPECT_EQ(seen.rbegin()->first, 15U);
}

TEST(RepeatTest, NoRepetitionAtAllSkipsTheGroup) {
  const auto workload = workload_of("      - {sql: A, repeat: {from: 0, to: 1}}\n      - sql: B\n");
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) seen.insert(run_through(workload, seed));
  EXPECT_THAT(seen, ElementsAre(std::vector<std::string>{"A", "B"}, std::vector<std::string>{"B"}));
}

TEST(RepeatTest, EachRepetitionDrawsItsOwnValuesAndTheOperationKeepsIts) {
  const auto workload = workload_of(
      "      - {sql: K $1, params: [$order]}\n"
      "      - repeat: 20\n        let: {item: {int: [1, 1000000]}}\n        steps:\n"
      "          - {sql: A $1, params: [$item]}\n          - {sql: B $1, params: [$item]}\n"
      "          - {sql: C $1, params: [$order]}\n",
      "    let: {order: {int: [1, 1000000]}}\n");
  const auto lines = run_through(workload, 7);
  ASSERT_EQ(lines.size(), 61U);
  std::set<std::string> items;
  for (std::size_t i = 1; i < lines.size(); i += 3) {
    EXPECT_EQ(lines[i].substr(4), lines[i + 1].substr(4)) << "one value for the whole repetition";
    EXPECT_EQ(lines[i + 2].substr(4), lines[0].substr(4));
    items.insert(lines[i]);
  }
  EXPECT_GT(items.size(), 18U);
}

TEST(RepeatTest, AWorkloadWithoutRepeatsDrawsWhatItDrewBefore) {
  const auto plain = workload_of("      - {sql: A $1, params: [{int: [1, 1000000]}]}\n");
  const auto before = workload_of(
      "      - {sql: A $1, params: [{int: [1, 1000000]}]}\n"
      "      - {sql: B $1, repeat: 2, params: [{int: [1, 9]}]}\n");
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(run_through(plain, seed)[0], run_through(before, seed)[0]);
  }
}

TEST(CursorTest, GoingBackDrawsARepetitionAgainAndForgetsWhatCameAfter) {
  const auto workload = workload_of(
      "      - {sql: A, capture: {first: a}}\n"
      "      - repeat: 3\n        steps:\n"
      "          - {sql: B $1, params: [{int: [1, 1000000]}]}\n"
      "          - {sql: C, capture: {inner: c}}\n          - {sql: D $1, params: [$inner]}\n");
  const auto& operation = workload.operations[0];
  const ValueSource source(workload, std::nullopt, 1);
  Values values;
  source.draw(operation, 3, values);
  const Work work{operation, source, 3, values};
  Cursor cursor;
  cursor.settle(work);
  const auto first = operation.steps[0].captures[0].variable;
  const auto inner = operation.steps[2].captures[0].variable;
  const auto drawn = operation.steps[1].params[0];
  values.set_text(first, "kept");
  cursor.pass();
  cursor.settle(work);
  const auto begin = cursor;
  const auto value = values.to_text(drawn);
  cursor.pass();
  values.set_text(inner, "1");
  cursor.pass();
  // Within the repetition: what came before the place stays.
  auto third = cursor;
  cursor.pass();
  EXPECT_TRUE(cursor.waits_for_captures(operation));
  cursor.go_back(third, work);
  EXPECT_EQ(values.to_text(inner), "1");
  EXPECT_EQ(values.to_text(drawn), value);
  // From the next repetition back to the first.
  cursor.pass();
  cursor.settle(work);
  EXPECT_TRUE(values.is_null(inner)) << "a repetition begins without captures";
  EXPECT_NE(values.to_text(drawn), value);
  EXPECT_TRUE(cursor.again());
  cursor.go_back(begin, work);
  EXPECT_FALSE(cursor.again());
  EXPECT_EQ(values.to_text(drawn), value);
  EXPECT_EQ(values.to_text(first), "kept");
}

TEST(RepeatErrorTest, LimitsAndShapesAreRefusedWithTheirPlace) {
  const auto step = [](const std::string& repeat) {
    return error_of(with_steps("      - {sql: A, repeat: " + repeat + "}\n"));
  };
  EXPECT_THAT(step("0"), StartsWith("w.yaml:7:26: "));
  EXPECT_THAT(step("1001"), StartsWith("w.yaml:7:26: "));
  EXPECT_THAT(step("{from: 5, to: 4}"), HasSubstr("from is above to"));
  EXPECT_THAT(step("{from: 5}"), HasSubstr("\"to\" is missing"));
  EXPECT_THAT(step("{from: 5, to: 1001}"), StartsWith("w.yaml:7:40: "));
  EXPECT_THAT(step("[5, 15]"), HasSubstr("repeat is a number, or {from: 5, to: 15}"));
  EXPECT_EQ(step("1000"), "accepted");
  EXPECT_THAT(error_of(with_steps("      - repeat: 1000\n        steps:\n" +
                                  [] {
                                    std::string out;
                                    for (int i = 0; i < 11; ++i) out += "          - sql: S\n";
                                    return out;
                                  }())),
              HasSubstr("may send 11000 statements: 10000 at most"));
  EXPECT_THAT(error_of(with_steps("      - repeat: 2\n        steps:\n"
                                  "          - {sql: A, repeat: 2}\n")),
              StartsWith("w.yaml:9:22: a repeat inside of a repeat"));
  EXPECT_THAT(error_of(with_steps("      - steps: [{sql: A}]\n")),
              HasSubstr("steps inside of steps need a repeat"));
}

TEST(RepeatErrorTest, NamesOfARepeatAreKnownInsideOfItOnly) {
  const auto group = std::string(
      "      - repeat: {from: 1, to: 2, as: line}\n        let: {item: {int: [1, 2]}}\n"
      "        steps: [{sql: A, capture: {price: p}}]\n");
  for (const std::string name : {"line", "item", "price"}) {
    EXPECT_THAT(
        error_of(with_steps(fmt::format("{}      - {{sql: S $1, params: [${}]}}\n", group, name))),
        HasSubstr(fmt::format("${} is known only inside of its repeat | It is defined at ", name)));
  }
  EXPECT_EQ(error_of(with_steps(group + group)), "accepted") << "two groups may use one name";
}

std::vector<bool> starts(const Workload& workload, bool Step::*flag) {
  std::vector<bool> out;
  for (const auto& step : workload.operations[0].steps) out.push_back(step.*flag);
  return out;
}

TEST(RepeatTest, PipelinedRepetitionsTravelTogetherUnlessTheyNeedAnAnswer) {
  const auto lines = workload_of(
      "      - {sql: O, capture: {order: id}}\n"
      "      - repeat: 3\n        steps: [{sql: L $1, params: [$order]}, {sql: M}]\n"
      "      - sql: Z\n");
  EXPECT_THAT(starts(lines, &Step::starts_batch), ElementsAre(false, true, false, false));
  EXPECT_THAT(starts(lines, &Step::starts_batch_again), ElementsAre(false, false, false, false));
  const auto prices = workload_of(
      "      - repeat: 3\n        steps:\n          - {sql: P, capture: {price: p}}\n"
      "          - {sql: L $1, params: [$price], expect_rows: 1}\n");
  EXPECT_THAT(starts(prices, &Step::starts_batch), ElementsAre(false, true));
  EXPECT_THAT(starts(prices, &Step::starts_batch_again), ElementsAre(true, true));
}

TEST(RepeatTest, PipelinedABeginDoesNotTakeWhatWasSentBeforeIntoItsTransaction) {
  const auto workload = workload_of(
      "      - sql: A\n      - sql: BEGIN\n      - sql: B\n      - sql: COMMIT\n      - sql: C\n");
  EXPECT_THAT(starts(workload, &Step::starts_batch), ElementsAre(false, true, false, false, false));
}

TEST(CaptureErrorTest, AUseBeforeTheCaptureNamesBothPlaces) {
  EXPECT_THAT(error_of(with_steps("      - {sql: S $1, params: [$job]}\n"
                                  "      - {sql: T, capture: {job: id}}\n")),
              StartsWith("w.yaml:7:30: $job is used before it is captured | Move the step with the "
                         "capture at w.yaml:8:28 before this one."));
  EXPECT_EQ(error_of(with_steps("      - {sql: T, capture: {job: id}}\n"
                                "      - {sql: S $1, params: [$job]}\n")),
            "accepted");
}

TEST(CaptureErrorTest, TheSameNameTwiceIsRefusedWithTheFirstPlace) {
  EXPECT_THAT(error_of(with_steps("      - {sql: T, capture: {job: id}}\n"
                                  "      - {sql: U, capture: {job: id}}\n")),
              StartsWith("w.yaml:8:28: \"job\" is captured twice | The first place is "
                         "w.yaml:7:28."));
}

TEST(ConditionErrorTest, AComparisonThatDoesNotExistNamesThoseThatDo) {
  for (const char* condition :
       {"$job != 5", "$job <> 5", "$job < 5", "$job >= 5", "$job=5", "$job ~ x", "$job and $b"}) {
    EXPECT_THAT(error_of(with_steps(std::string("      - {sql: T, capture: {job: id}}\n"
                                                "      - {sql: S, when: \"") +
                                    condition + "\"}\n")),
                testing::AllOf(StartsWith("w.yaml:8:24: "),
                               HasSubstr("is not a condition that exists: $name, or $name = text"),
                               HasSubstr("let the server compare")))
        << condition;
  }
  for (const char* condition : {"$job", "$job = 5", "$job = a = b"}) {
    EXPECT_EQ(error_of(with_steps(std::string("      - {sql: T, capture: {job: id}}\n"
                                              "      - {sql: S, when: \"") +
                                  condition + "\"}\n")),
              "accepted")
        << condition;
  }
}

TEST(RetriesKeyTest, TheWorkloadsIsTheOperationsUnlessItSaysElse) {
  const auto text = [](const std::string& head, const std::string& own) {
    return "version: 1\nname: w\n" + head + "operations:\n  - name: a\n    weight: 1\n" + own +
           "    steps: [{sql: A}]\n";
  };
  const auto policy = [&](const std::string& head, const std::string& own) {
    return parse_workload(text(head, own), "w.yaml").operations[0].retries;
  };
  EXPECT_EQ(policy("", "").most, 5);
  EXPECT_EQ(policy("retries: 0\n", "").most, 0);
  EXPECT_EQ(policy("retries: 2\n", "    retries: {most: 7}\n").most, 7);
  const auto mixed =
      policy("retries: {most: 3, pause: 20ms}\n", "    retries: {pause_max: 90ms}\n");
  EXPECT_EQ(mixed.most, 3);
  EXPECT_EQ(mixed.pause, std::chrono::milliseconds(20));
  EXPECT_EQ(mixed.pause_max, std::chrono::milliseconds(90));
  EXPECT_THAT(error_of(text("retries: 101\n", "")), StartsWith("w.yaml:3:10: "));
  EXPECT_THAT(error_of(text("retries: {pause: 2s}\n", "")), HasSubstr("pause is above pause_max"));
  EXPECT_THAT(error_of(text("retries: {most: 1, pause_max: 2m}\n", "")), HasSubstr("1m at most"));
  EXPECT_THAT(error_of(text("retries: {max: 1}\n", "")), HasSubstr("unknown key \"max\""));
}

TEST(InvariantKeyTest, AListOfNamesAndStatements) {
  const auto text = [](const std::string& list) {
    return "version: 1\nname: w\ninvariant: " + list +
           "\noperations: [{name: a, weight: 1, steps: [{sql: A}]}]\n";
  };
  const auto workload = parse_workload(
      text("[{name: n, sql: \"SELECT\\n 1\"}, {name: m, sql: SELECT 2, limit: 5m}]"), "w.yaml");
  ASSERT_EQ(workload.invariants.size(), 2U);
  EXPECT_EQ(workload.invariants[0].sql, "SELECT 1");
  EXPECT_EQ(workload.invariants[0].place, "w.yaml:3:28");
  EXPECT_EQ(workload.invariants[1].limit, std::chrono::minutes(5));
  EXPECT_EQ(workload.only("a").invariants.size(), 2U) << "one operation has to keep them as well";
  EXPECT_THAT(error_of(text("[{name: n, sql: A}, {name: n, sql: B}]")),
              StartsWith("w.yaml:3:39: another invariant has this name"));
  EXPECT_THAT(error_of(text("[{name: n}]")), HasSubstr("\"sql\" is missing"));
  EXPECT_THAT(error_of(text("[]")), HasSubstr("invariant must be a list, not empty"));
  EXPECT_THAT(error_of(text("[{name: n, sql: A, then: B}]")), HasSubstr("unknown key \"then\""));
}

TEST(StatementKindTest, WhatMayCommitIsKnownByItsFirstWords) {
  using Kind = StatementKind;
  const std::map<std::string, Kind> kinds{
      {"SELECT 1", Kind::plain},
      {"insert into t values (1)", Kind::plain},
      {"/* a */ (SELECT 1)", Kind::plain},
      {"WITH a AS (SELECT 1) SELECT * FROM a", Kind::plain},
      {"SAVEPOINT a", Kind::plain},
      {"ROLLBACK TO a", Kind::plain},
      {"ROLLBACK WORK TO SAVEPOINT a", Kind::plain},
      {"BEGIN", Kind::begins},
      {"start transaction isolation level serializable", Kind::begins},
      {"COMMIT", Kind::ends},
      {"end", Kind::ends},
      {"ROLLBACK", Kind::ends},
      {"ROLLBACK AND CHAIN", Kind::ends},
      {"PREPARE TRANSACTION 'a'", Kind::ends},
      {"CALL p()", Kind::opaque},
      {"DO $$ BEGIN COMMIT; END $$", Kind::opaque},
      {"VACUUM t", Kind::opaque},
      {"CREATE INDEX CONCURRENTLY i ON t (a)", Kind::opaque},
      {"/* never closed", Kind::opaque}};
  for (const auto& [sql, kind] : kinds) EXPECT_EQ(statement_kind(sql), kind) << sql;
}

/// "accepted", or "MESSAGE | HINT".
std::string check(const Workload& workload, const std::vector<std::string>& columns) {
  try {
    check_step(workload.operations[0], workload.operations[0].steps[0], columns);
  } catch (const Error& error) {
    return std::string(error.what()) + " | " + error.hint();
  }
  return "accepted";
}

TEST(ReturnedColumnsTest, ACaptureNeedsOneColumnOfItsName) {
  const auto workload = workload_of("      - {sql: SELECT 1, capture: {job: idd}}\n");
  EXPECT_EQ(check(workload, {"id", "payload"}),
            "w.yaml:7:40: step 1 of the operation \"a\" (prepared as pantryd_load_0) returns no "
            "column \"idd\" | The statement returns: id, payload.");
  EXPECT_THAT(check(workload, {}), HasSubstr("returns no rows, so there is no column \"idd\" | "
                                             "Add RETURNING to the statement"));
  EXPECT_THAT(check(workload, {"idd", "x", "idd"}), HasSubstr("returns 2 columns \"idd\" | Name "));
  EXPECT_EQ(check(workload, {"x", "idd"}), "accepted");
}

TEST(ReturnedColumnsTest, ExpectedRowsNeedAStatementThatCountsThem) {
  for (const char* sql : {"SET work_mem = 100", "LOCK TABLE t", "NOTIFY x", "CALL p()"}) {
    EXPECT_THAT(check(workload_of(std::string("      - {sql: ") + sql + ", expect_rows: 1}\n"), {}),
                HasSubstr("neither returns nor changes rows | Leave expect_rows out."))
        << sql;
  }
  for (const char* sql : {"UPDATE t SET a = 1", "WITH x AS (SELECT 1) DELETE FROM t"}) {
    EXPECT_EQ(check(workload_of(std::string("      - {sql: ") + sql + ", expect_rows: 1}\n"), {}),
              "accepted")
        << sql;
  }
  EXPECT_EQ(check(workload_of("      - {sql: SHOW work_mem, expect_rows: 1}\n"), {"work_mem"}),
            "accepted");
}

}  // namespace
}  // namespace pantryd::loadgen
