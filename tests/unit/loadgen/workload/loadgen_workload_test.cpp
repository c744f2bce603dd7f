// Workload files: the built-in ones, how a plan is made of them, and what is refused.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "loadgen/workload/plan.h"
#include "loadgen/workload/values.h"

namespace pantryd::loadgen {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string error_of(const std::string& yaml) {
  try {
    (void)parse_workload(yaml, "w.yaml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "accepted";
}

std::string with_operation(const std::string& operation) {
  return "version: 1\nname: w\noperations:\n" + operation;
}

std::string with_head(const std::string& head) {
  return "version: 1\nname: w\n" + head +
         "operations: [{name: a, weight: 1, steps: [{sql: SELECT 1}]}]\n";
}

const Operation& operation_named(const Workload& workload, std::string_view name) {
  for (const auto& each : workload.operations) {
    if (each.name == name) return each;
  }
  throw std::runtime_error("no operation " + std::string(name));
}

TEST(WorkloadTest, TheBuiltInOneHasTheOperationsAndTheirWeights) {
  const auto workload = load_workload("");
  EXPECT_EQ(workload.name, "grocery");
  EXPECT_TRUE(workload.needs_dataset());
  EXPECT_DOUBLE_EQ(operation_named(workload, "sale").weight, 22);
  EXPECT_DOUBLE_EQ(operation_named(workload, "barcode_lookup").weight, 40);
  EXPECT_DOUBLE_EQ(operation_named(workload, "product_search").weight, 8);
  EXPECT_EQ(operation_named(workload, "barcode_lookup").slo_p99, std::chrono::milliseconds(10));
  EXPECT_EQ(operation_named(workload, "daily_sales").slo_p99, std::chrono::seconds(1));
}

TEST(WorkloadTest, ATransactionIsWrappedInBeginAndCommit) {
  const auto workload = load_workload("");
  const auto& sale = operation_named(workload, "sale");
  EXPECT_EQ(sale.steps.front().sql, "BEGIN");
  EXPECT_EQ(sale.steps.back().sql, "COMMIT");
  EXPECT_EQ(sale.steps.size(), 6U);
}

TEST(WorkloadTest, PipelinedASaleTakesTwoRoundTrips) {
  const auto workload = load_workload("");
  std::vector<bool> starts;
  for (const auto& step : operation_named(workload, "sale").steps) {
    starts.push_back(step.starts_batch);
  }
  // BEGIN and SELECT go together; the INSERT needs the name and price that the SELECT returns.
  EXPECT_THAT(starts, testing::ElementsAre(false, false, true, false, false, false));
}

TEST(WorkloadTest, EqualStatementsArePreparedOnce) {
  const auto workload = load_workload("");
  const std::set<std::string> unique(workload.statements.begin(), workload.statements.end());
  EXPECT_EQ(unique.size(), workload.statements.size());
}

TEST(WorkloadTest, AnOperationOfWeightZeroIsSwitchedOffWithItsStatements) {
  const auto workload = parse_workload(
      "version: 1\nname: w\noperations:\n"
      "  - {name: off, weight: 0, steps: [{sql: DELETE FROM sales}, {sql: SELECT 1}]}\n"
      "  - {name: on, weight: 2, steps: [{sql: SELECT 1}, {sql: SELECT 2}]}\n",
      "w.yaml");
  const auto kept = workload.without_idle();
  ASSERT_EQ(kept.operations.size(), 1U);
  EXPECT_EQ(kept.operations[0].name, "on");
  EXPECT_EQ(kept.statements, (std::vector<std::string>{"SELECT 1", "SELECT 2"}));
  EXPECT_EQ(kept.statement_lines.size(), 2U);
  EXPECT_EQ(kept.operations[0].steps[0].statement, 0);
  EXPECT_EQ(kept.operations[0].steps[1].statement, 1);
  // A person who names it wants it.
  const auto only = workload.only("off");
  ASSERT_EQ(only.without_idle().operations.size(), 1U);
  EXPECT_EQ(only.statements, (std::vector<std::string>{"DELETE FROM sales", "SELECT 1"}));
}

TEST(WorkloadErrorTest, NamesFileLineAndColumn) {
  EXPECT_THAT(error_of(with_head("foo: 2\n")), StartsWith("w.yaml:3:1: unknown key \"foo\""));
  EXPECT_THAT(error_of("version: 1\nname: w\n"),
              StartsWith("w.yaml:1:1: the key \"operations\" is missing"));
  EXPECT_THAT(error_of("version: 2\nname: w\noperations: []\n"),
              StartsWith("w.yaml:1:10: version"));
  EXPECT_THAT(error_of("version: 1\nname: [\n"), StartsWith("w.yaml:"));
  EXPECT_THAT(error_of("- a\n"), StartsWith("w.yaml:1:1: expected keys and values"));
}

TEST(WorkloadErrorTest, UnknownKeysOfAnOperationAndOfAStepAreErrors) {
  EXPECT_THAT(error_of(with_operation("  - name: a\n    wieght: 1\n")),
              StartsWith("w.yaml:5:5: unknown key \"wieght\""));
  EXPECT_THAT(
      error_of(with_operation("  - name: a\n    weight: 1\n    steps: [{sql: x, rows: 1}]\n")),
      StartsWith("w.yaml:6:22: unknown key \"rows\""));
}

TEST(WorkloadErrorTest, EveryErrorHasAHintAndASlipOfTheKeyboardItsCorrection) {
  const auto hint_of = [](const std::string& yaml) -> std::string {
    try {
      (void)parse_workload(yaml, "w.yaml");
    } catch (const Error& error) {
      return error.hint();
    }
    return "accepted";
  };
  EXPECT_EQ(hint_of(with_operation("  - name: a\n    wieght: 1\n")), "Did you mean \"weight\"?");
  EXPECT_EQ(hint_of(with_head("descripton: x\n")), "Did you mean \"description\"?");
  EXPECT_THAT(hint_of(with_head("skew: 90\n")), HasSubstr("grocery.yaml"));
  EXPECT_THAT(hint_of(with_head("think: 0s\n")), HasSubstr("250ms"));
}

TEST(WorkloadErrorTest, WhatIsThereTwiceIsAnError) {
  EXPECT_THAT(error_of(with_head("skew: 1\nskew: 2\n")), HasSubstr("\"skew\" appears twice"));
  EXPECT_THAT(error_of(with_operation("  - name: a\n    weight: 1\n    let: {x: 1, x: 2}\n"
                                      "    steps: [{sql: SELECT 1}]\n")),
              StartsWith("w.yaml:6:17: \"x\" is defined twice"));
}

TEST(WorkloadErrorTest, ParametersMustMatchThePlaceholders) {
  EXPECT_THAT(error_of(with_operation(
                  "  - name: a\n    weight: 1\n    steps: [{sql: SELECT $1, params: []}]\n")),
              HasSubstr("1 placeholders but 0 params"));
}

TEST(WorkloadErrorTest, NamesMustBeKnownBeforeTheyAreUsed) {
  EXPECT_THAT(error_of(with_operation("  - name: a\n    weight: 1\n    steps:\n"
                                      "      - {sql: SELECT $1, params: [$x]}\n")),
              StartsWith("w.yaml:7:35: $x is neither"));
  EXPECT_THAT(error_of(with_operation("  - name: a\n    weight: 1\n    steps:\n"
                                      "      - {sql: SELECT 1, when: $x}\n")),
              HasSubstr("$x is neither"));
}

TEST(WorkloadErrorTest, ValuesAreChecked) {
  const auto operation = [](const std::string& rest) {
    return with_operation("  - name: a\n    steps: [{sql: SELECT 1}]\n" + rest);
  };
  EXPECT_THAT(error_of(operation("    weight: -1\n")),
              StartsWith("w.yaml:6:13: expected a number"));
  EXPECT_THAT(error_of(operation("    weight: 0\n")), HasSubstr("are all 0"));
  EXPECT_THAT(error_of(operation("    weight: 1\n    slo: {p99: 0ms}\n")),
              StartsWith("w.yaml:7:16: \"0ms\" is not a duration"));
  EXPECT_THAT(error_of(operation("    weight: 1\n    slo: {p99: 10}\n")),
              StartsWith("w.yaml:7:16: \"10\" is not a duration"));
  EXPECT_THAT(error_of(operation("    weight: 1\n    let: {x: {int: [5, 1]}}\n")),
              HasSubstr("low end is above"));
  EXPECT_THAT(error_of(operation("    weight: 1\n    let: {x: {itn: [5, 1]}}\n")),
              HasSubstr("unknown generator \"itn\""));
  EXPECT_THAT(error_of(operation("    weight: 1\n    transaction: maybe\n")),
              HasSubstr("neither true nor false"));
}

TEST(WorkloadTest, OnlyKeepsOneOperationAndRefusesUnknownOnes) {
  const auto workload = load_workload("");
  EXPECT_EQ(workload.only("sale").operations.size(), 1U);
  EXPECT_THROW((void)workload.only("nothing"), Error);
}

TEST(WorkloadTest, TheLoadAndTheHabitsOfItsUsersAreRead) {
  const auto workload =
      parse_workload(with_head("think: 2s\nsession: {operations: 10, pause: 45s}\n"
                               "load: [{for: 60s, from: 100, to: 1000}, {for: 2m, rate: 1000}]\n"),
                     "w.yaml");
  EXPECT_EQ(workload.users.think, std::chrono::seconds(2));
  EXPECT_DOUBLE_EQ(workload.users.operations, 10);
  EXPECT_EQ(workload.users.pause, std::chrono::seconds(45));
  ASSERT_EQ(workload.load.lines.size(), 2U);
  EXPECT_DOUBLE_EQ(workload.load.at(30), 550);
  EXPECT_DOUBLE_EQ(workload.load.at(100), 1000);
  EXPECT_DOUBLE_EQ(workload.load.arrivals(), 33'000 + 120'000);
}

TEST(WorkloadErrorTest, ALoadThatIsNoneIsRefused) {
  EXPECT_THAT(error_of(with_head("load: [{for: 60s, rate: 0}]\n")),
              HasSubstr("0 during the whole load"));
  EXPECT_THAT(error_of(with_head("load: [{for: 60s, from: 5}]\n")), HasSubstr("\"to\" is missing"));
  EXPECT_THAT(error_of(with_head("load: [{for: 60s, rate: 5, from: 5}]\n")),
              HasSubstr("either rate, or from and to"));
  EXPECT_THAT(error_of(with_head("load: [{for: 0s, rate: 5}]\n")),
              StartsWith("w.yaml:3:14: \"0s\" is not a duration"));
  EXPECT_THAT(error_of(with_head("think: 2\n")), StartsWith("w.yaml:3:8: \"2\" is not a duration"));
  EXPECT_THAT(error_of(with_head("session: {operations: 0, pause: 1s}\n")), HasSubstr("a number"));
}

TEST(WorkloadTest, AStatementKnowsTheLineItStandsOn) {
  const auto workload = parse_workload(
      with_operation("  - name: a\n    weight: 1\n    transaction: true\n    steps:\n"
                     "      - sql: SELECT 1\n      - sql: >\n          SELECT\n          2\n"
                     "      - sql: SELECT 1\n"),
      "w.yaml");
  ASSERT_EQ(workload.statements.size(), 4U);  // BEGIN, two, COMMIT
  EXPECT_THAT(workload.statement_lines, testing::ElementsAre(0, 8, 9, 0));
}

class ValuesTest : public testing::Test {
 protected:
  static DatasetShape shape() {
    DatasetShape out;
    out.products = 300;
    out.sales = 1000;
    out.as_of_day = 20'400;
    return out;
  }
  Workload workload_ = load_workload("");
};

TEST_F(ValuesTest, TheSameSeedDrawsTheSameKeys) {
  const ValueSource first(workload_, shape(), 1);
  const ValueSource second(workload_, shape(), 2);
  const auto& lookup = operation_named(workload_, "barcode_lookup");
  Values a;
  Values b;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    first.draw(lookup, seed, a);
    second.draw(lookup, seed, b);
    EXPECT_EQ(a.to_text(0), b.to_text(0));
  }
}

TEST_F(ValuesTest, FreshUuidsDifferFromRunToRun) {
  // Two runs with one seed once inserted the same sale ids: the second saw only duplicate keys.
  const ValueSource first(workload_, shape(), 1);
  const ValueSource second(workload_, shape(), 2);
  const auto& sale = operation_named(workload_, "sale");
  Values a;
  Values b;
  first.draw(sale, 5, a);
  second.draw(sale, 5, b);
  EXPECT_EQ(a.to_text(0), b.to_text(0));  // the product
  EXPECT_NE(a.to_text(1), b.to_text(1));  // the sale's own id
}

TEST_F(ValuesTest, KeysExistInTheDataset) {
  const ValueSource values(workload_, shape(), 1);
  const Grocery grocery(shape());
  std::set<std::string> barcodes;
  std::set<std::string> debts;
  for (std::int64_t i = 0; i < 300; ++i) barcodes.insert(grocery.barcode(i));
  for (std::int64_t i = 0; i < 1000; ++i) {
    if (grocery.has_debt(i)) debts.insert(to_text(grocery.id(Table::debts, i)));
  }
  Values drawn;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    values.draw(operation_named(workload_, "barcode_lookup"), seed, drawn);
    EXPECT_TRUE(barcodes.contains(drawn.to_text(0)));
    values.draw(operation_named(workload_, "debt_payment"), seed, drawn);
    EXPECT_TRUE(debts.contains(drawn.to_text(0))) << seed;
  }
}

TEST_F(ValuesTest, ABasketHoldsDifferentProductsInOrderAndTenOnAverage) {
  const auto workload = load_workload("grocery-plan");
  const ValueSource values(workload, shape(), 1);
  Values drawn;
  double lines = 0;
  std::size_t largest = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    values.draw(operation_named(workload, "checkout"), seed, drawn);
    const auto text = drawn.to_text(0);
    std::vector<std::string> ids;
    std::istringstream list(text.substr(1, text.size() - 2));
    for (std::string id; std::getline(list, id, ',');) ids.push_back(id);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    EXPECT_FALSE(ids.empty());
    lines += static_cast<double>(ids.size());
    largest = std::max(largest, ids.size());
  }
  EXPECT_NEAR(lines / 2000, 9.2, 0.8);  // ten, less those that are twice in it: 300 products
  EXPECT_GT(largest, 30U);
}

TEST_F(ValuesTest, AConditionLeavesAValueNull) {
  const ValueSource values(workload_, shape(), 1);
  const auto& sale = operation_named(workload_, "sale");
  Values drawn;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    values.draw(sale, seed, drawn);
    EXPECT_EQ(!drawn.is_null(4), drawn.equals(3, "debt"));   // the customer's name
    EXPECT_EQ(!drawn.is_null(6), drawn.equals(3, "mpesa"));  // the receipt
  }
}

}  // namespace
}  // namespace pantryd::loadgen
