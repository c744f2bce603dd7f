// What two readings of an invariant come to, and what they do to the verdict of a load.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/judge/verdict.h"
#include "loadgen/report/html.h"
#include "loadgen/report/load_forms.h"
#include "loadgen/result/result.h"

namespace pantryd::loadgen {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Outcome = InvariantResult::Outcome;

InvariantReading text(const std::string& value) {
  return {{value}, value, false, ""};
}

InvariantReading boolean(bool value) {
  return {{value ? "t" : "f"}, value ? "true" : "false", true, ""};
}

InvariantReading null_boolean() {
  return {{std::nullopt}, "NULL", true, ""};
}

Outcome outcome(InvariantReading before, InvariantReading after) {
  return InvariantResult{"n", "w.yaml:3:5", std::move(before), std::move(after)}.outcome();
}

TEST(InvariantTest, ARowHasToBeTheSame) {
  EXPECT_EQ(outcome(text("500"), text("500")), Outcome::held);
  EXPECT_EQ(outcome(text("500"), text("498")), Outcome::broken);
  EXPECT_EQ(outcome({{"1", "2"}, "1, 2", false, ""}, {{"1, 2"}, "1, 2", false, ""}),
            Outcome::broken)
      << "by its values, not by how it is shown";
  EXPECT_EQ(outcome({{std::nullopt}, "NULL", false, ""}, {{std::nullopt}, "NULL", false, ""}),
            Outcome::held);
  EXPECT_EQ(outcome({{std::nullopt}, "NULL", false, ""}, text("NULL")), Outcome::broken);
}

TEST(InvariantTest, ABooleanHasToBeTrueBothTimes) {
  EXPECT_EQ(outcome(boolean(true), boolean(true)), Outcome::held);
  EXPECT_EQ(outcome(boolean(true), boolean(false)), Outcome::broken);
  EXPECT_EQ(outcome(boolean(false), boolean(true)), Outcome::broken);
  EXPECT_EQ(outcome(boolean(false), boolean(false)), Outcome::broken) << "the same, and wrong";
  EXPECT_EQ(outcome(null_boolean(), null_boolean()), Outcome::unread);
  EXPECT_EQ(outcome(null_boolean(), boolean(false)), Outcome::broken);
}

TEST(InvariantTest, WhatCouldNotBeReadIsNeitherHeldNorBroken) {
  EXPECT_EQ(outcome(unread_invariant("x"), text("1")), Outcome::unread);
  EXPECT_EQ(outcome(text("1"), unread_invariant("x")), Outcome::unread);
  const InvariantResult one{"stock", "w.yaml:3:5", text("1"), unread_invariant("no table")};
  EXPECT_EQ(one.sentence(),
            "w.yaml:3:5: the invariant \"stock\" could not be read after the load: no table.");
}

/// A run that passes.
LoadResult healthy() {
  LoadResult out;
  out.options.rate_per_s = 100;
  out.totals.client.measured_s = 10;
  OperationResult operation;
  operation.name = "lookup";
  operation.slo_p99 = std::chrono::milliseconds(10);
  auto& totals = operation.totals;
  totals.offered = totals.completed = totals.attempts = totals.done_in_window = 1'000;
  for (int i = 0; i < 1'000; ++i) {
    totals.response.record(1'000);
    totals.service.record(900);
  }
  out.operations.push_back(std::move(operation));
  out.invariants = {{"stock", "w.yaml:3:5", text("500"), text("500")}};
  return out;
}

TEST(InvariantVerdictTest, ABrokenOneIsFailAndAnUnreadOneIsInconclusive) {
  auto load = healthy();
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::pass) << to_text(load);
  load = healthy();
  load.invariants[0].after = text("498");
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::fail);
  EXPECT_THAT(load.reasons, Contains(HasSubstr("\"stock\" is broken: 500 before the load, 498 "
                                               "after it.")));
  load = healthy();
  load.invariants[0].before = unread_invariant("no such table");
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::inconclusive);
  EXPECT_EQ(load.reason, Reason::unreadable);
  EXPECT_FALSE(load.only_rare_unproven) << "it limits every claim";
}

TEST(InvariantVerdictTest, ALateClientExcusesNoLostRows) {
  auto load = healthy();
  load.totals.client.cpu_s = 9.9;
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::invalid);
  load.invariants[0].after = text("498");
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::fail) << to_text(load);
  load.stopped = true;
  judge(load);
  EXPECT_EQ(load.verdict, Verdict::inconclusive) << "a person may have cut operations in two";
}

TEST(InvariantReportTest, TextJsonAndHtmlHaveNameAndBothValues) {
  auto load = healthy();
  load.invariants[0].name = "stock <b>";
  load.invariants[0].after = text("498");
  load.invariants.push_back({"gone", "w.yaml:4:5", text("1"), unread_invariant("no table")});
  judge(load);
  EXPECT_THAT(to_text(load), HasSubstr("The invariant \"stock <b>\" is broken: 500 before the "
                                       "load, 498 after it.\n"));
  const auto json = nlohmann::json::parse(to_json(load));
  ASSERT_EQ(json["invariants"].size(), 2U);
  EXPECT_EQ(json["invariants"][0]["outcome"], "broken");
  EXPECT_EQ(json["invariants"][0]["before"], "500");
  EXPECT_EQ(json["invariants"][0]["after"], "498");
  EXPECT_TRUE(json["invariants"][0]["error"].is_null());
  EXPECT_EQ(json["invariants"][1]["outcome"], "unread");
  EXPECT_TRUE(json["invariants"][1]["after"].is_null()) << "never a zero";
  EXPECT_EQ(json["invariants"][1]["error"], "no table");
  const auto page = load_html(load);
  EXPECT_THAT(page, HasSubstr("<td>stock &lt;b&gt;</td><td>500</td><td>498</td><td>broken</td>"));
  EXPECT_THAT(page, Not(HasSubstr("stock <b>")));
}

TEST(AttemptsReportTest, TextJsonAndHtmlCountThem) {
  auto load = healthy();
  load.operations[0].totals.attempts = 1'234;
  load.operations[0].totals.retries = 234;
  load.operations[0].totals.gave_up = 7;
  judge(load);
  EXPECT_THAT(to_text(load),
              HasSubstr("1234 attempts, of them 234 retries; 7 operations used up their retries"));
  const auto json = nlohmann::json::parse(to_json(load));
  EXPECT_EQ(json["operations"][0]["attempts"], 1'234);
  EXPECT_EQ(json["operations"][0]["retries"], 234);
  EXPECT_EQ(json["operations"][0]["gave_up"], 7);
  EXPECT_THAT(load_html(load), HasSubstr("<td>1234</td><td>234</td>"));
}

}  // namespace
}  // namespace pantryd::loadgen
