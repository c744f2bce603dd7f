// The claim about the number of rows, by answers that a server could give.
#include <gmock/gmock.h>

#include "base/error.h"
#include "validate/check.h"
#include "validate/sheet.h"

namespace pantryd::validate {
namespace {

using testing::HasSubstr;

std::vector<Claim> sheet(const std::string& keys) {
  return parse_claims("version: 1\nclaims:\n  - {id: a, text: t, check: scale" + keys + "}\n",
                      "c.yaml");
}

ClaimVerdict judged(const std::optional<std::string>& products, const std::string& sales_problem) {
  const auto claims = sheet(", products: 1000, sales: 5000");
  Evidence evidence;
  for (const auto& query : needs_of(claims).queries) {
    auto& answer = evidence.answers[query];
    if (query.find("products") != std::string::npos) {
      answer.rows = {{products}};
    } else if (sales_problem.empty()) {
      answer.rows = {{"5000"}};
    } else {
      answer.problem = sales_problem;
    }
  }
  return judge_claims(claims, evidence).front();
}

TEST(ScaleCheckTest, PassesWhereTheRowsAreThere) {
  const auto verdict = judged("1000", {});
  EXPECT_EQ(verdict.verdict, Verdict::pass);
  EXPECT_EQ(verdict.measured, "1,000 products, 5,000 sales");
}

TEST(ScaleCheckTest, OneRowTooFewFails) {
  EXPECT_EQ(judged("999", {}).verdict, Verdict::fail);
}

TEST(ScaleCheckTest, ACountThatCouldNotBeReadIsInconclusiveAndNeverZero) {
  const auto denied = judged("1000", "permission denied for table sales");
  EXPECT_EQ(denied.verdict, Verdict::inconclusive);
  EXPECT_EQ(denied.reason, Reason::unreadable);
  EXPECT_THAT(denied.evidence.at(1), HasSubstr("permission denied for table sales"));
  EXPECT_EQ(judged(std::nullopt, {}).verdict, Verdict::inconclusive);
}

TEST(ScaleCheckTest, TooFewRowsFailEvenWhenTheOthersCannotBeRead) {
  EXPECT_EQ(judged("999", "timeout").verdict, Verdict::fail);
}

/// Counting took too long; the statistics say this.
ClaimVerdict estimated(const std::string& rows) {
  const auto claims = sheet(", sales: 5000");
  Evidence evidence;
  for (const auto& query : needs_of(claims).queries) {
    auto& answer = evidence.answers[query];
    if (query.find("count(*)") != std::string::npos) {
      answer.problem = "took longer than 10 s";
    } else {
      answer.rows = {{rows}};
    }
  }
  return judge_claims(claims, evidence).front();
}

TEST(ScaleCheckTest, AnEstimateIsMarkedAndNeverFails) {
  const auto enough = estimated("5000");
  EXPECT_EQ(enough.verdict, Verdict::pass);
  EXPECT_EQ(enough.measured, "5,000 (estimated) sales");
  EXPECT_THAT(enough.evidence, testing::Contains(HasSubstr("took longer than 10 s")));
  const auto few = estimated("4999");
  EXPECT_EQ(few.verdict, Verdict::inconclusive);
  EXPECT_EQ(few.reason, Reason::unreadable);
}

TEST(ScaleCheckTest, AClaimOfNoRowsIsRefused) {
  EXPECT_THROW((void)sheet(""), Error);
  EXPECT_THROW((void)sheet(", products: 0"), Error);
  EXPECT_NO_THROW((void)sheet(", sales: 1"));
}

}  // namespace
}  // namespace pantryd::validate
