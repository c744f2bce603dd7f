// How databases share the bound on relations, and what becomes of rows with equal labels.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "probes/engine/bound.h"
#include "probes/engine/relation_share.h"
#include "probes/engine/same_labels.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {
namespace {

using testing::HasSubstr;

TEST(RelationShareTest, EachGetsWhatItNeedsWhileAllNeedsFit) {
  EXPECT_EQ(fair_limit({}, 1000), 1000);
  EXPECT_EQ(fair_limit({120}, 1000), 1000);
  EXPECT_EQ(fair_limit({0, 0, 120, 0}, 120), 120);
  EXPECT_EQ(fair_limit({500, 500}, 1000), 1000);
}

TEST(RelationShareTest, ThoseThatNeedMuchGetTheSameAndTheOthersKeepWhatTheyNeed) {
  EXPECT_EQ(fair_limit({500, 501}, 1000), 500);
  EXPECT_EQ(fair_limit({100, 5000, 5000}, 1000), 450);
  EXPECT_EQ(fair_limit({2000, 1, 1, 2000}, 1000), 499);
  EXPECT_EQ(fair_limit(std::vector<std::int64_t>(500, 100), 1000), 10) << "nobody gets nothing";
}

TEST(RelationShareTest, WhatAQueryFoundReplacesWhatWasExpected) {
  RelationShare share;
  share.keep({"a", "b"});
  share.expect("a", 2000);
  share.expect("b", 10);
  EXPECT_EQ(share.limit("tables", "b", 10, 100), 90);
  EXPECT_EQ(share.limit("tables", "a", 50, 100), 100) << "fewer than was expected";
  EXPECT_EQ(share.limit("indexes", "b", 200, 100), 50) << "of another query nothing is known";
  share.keep({"b"});
  EXPECT_FALSE(share.knows("a"));
  EXPECT_EQ(share.limit("indexes", "b", 200, 100), 100);
}

std::string probe(const std::string& keys, const std::string& of_metric = "",
                  const std::string& type = "gauge") {
  return "name: a\nsummary: A.\nqueries:\n  - sql: x\n    labels: [who]\n" + keys +
         "    metrics:\n      - {name: n, column: n, type: " + type + ", help: N" + of_metric +
         "}\n      - {name: m, column: m, type: gauge, help: M}\n";
}

std::string refusal(const std::string& text) {
  try {
    (void)parse_probe(text, "a.yaml");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SameLabelsTest, AMetricMayHaveAnotherRuleThanItsQuery) {
  const auto spec = parse_probe(probe("    same_labels: sum\n", ", same_labels: min"), "a.yaml");
  EXPECT_EQ(rule_of(spec.queries[0], 0), SameLabels::min);
  EXPECT_EQ(rule_of(spec.queries[0], 1), SameLabels::sum);
  EXPECT_TRUE(merges_all(spec.queries[0]));
  EXPECT_FALSE(merges_all(parse_probe(probe("", ", same_labels: max"), "a.yaml").queries[0]));
}

TEST(SameLabelsTest, WhatCannotBeMergedIsRefused) {
  EXPECT_THAT(refusal(probe("    same_labels: sum\n", "", "histogram")), HasSubstr("histogram"));
  EXPECT_EQ(refusal(probe("    same_labels: number\n", "", "histogram")).find("merged"),
            std::string::npos);
  EXPECT_THAT(refusal(probe("    bound: {limit: 5, by: [n]}\n    same_labels: number\n")),
              HasSubstr("numbered"));
  EXPECT_THAT(refusal(probe("    bound: {limit: 0, by: [n]}\n")), HasSubstr("a.yaml:6"));
}

TEST(SameLabelsTest, RowsOfABoundedQueryAreMergedBeforeTheBoundCounts) {
  const auto rows = [] {
    return std::vector<BoundRow>{{{{"who", "a"}}, {1, 7}, 0.1, {}, {}},
                                 {{{"who", "b"}}, {2, 8}, 0.2, {}, {}},
                                 {{{"who", "a"}}, {5, std::nan("")}, 0.7, {}, {}}};
  };
  const auto merged =
      parse_probe(probe("    bound: {limit: 5, by: [n]}\n    same_labels: max\n"), "a.yaml");
  auto list = rows();
  EXPECT_EQ(merge_same_labels(merged.queries[0], list), 0);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].values, (std::vector<double>{5, 7}));
  EXPECT_EQ(list[0].rank, 0.7);
  const auto plain = parse_probe(probe("    bound: {limit: 5, by: [n]}\n"), "a.yaml");
  list = rows();
  EXPECT_EQ(merge_same_labels(plain.queries[0], list), 1);
  EXPECT_EQ(list[0].values, (std::vector<double>{1, 7}));
}

TEST(BoundTest, OfOtherTheLeastIsShownWhereTheLeastMatters) {
  const auto spec = parse_probe(probe("    bound: {limit: 2, by: [n]}\n", ", rest: min"), "a.yaml");
  Bounder bounder(spec.queries[0]);
  const auto rows = bounder.apply({{{{"who", "a"}}, {9, 1}, 0.9, {}, {}},
                                   {{{"who", "b"}}, {7, 1}, 0.2, {}, {}},
                                   {{{"who", "c"}}, {3, 1}, 0.1, {}, {}}},
                                  2);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].labels[0].second, "other");
  EXPECT_EQ(rows[1].values, (std::vector<double>{3, 2}));
  EXPECT_EQ(bounder.left_out(), 2);
}

}  // namespace
}  // namespace pantryd::probes
