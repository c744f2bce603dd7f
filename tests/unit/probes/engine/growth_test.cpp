// Counting entries that the server throws out at will (pg_stat_statements), and series made of
// them.
#include "probes/engine/growth.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>

#include "base/error.h"
#include "probes/engine/bound.h"

namespace pantryd::probes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(GrowthTest, WhatIsNewAndWhatIsLessThanItWasCountsFromZero) {
  Growth growth;
  EXPECT_TRUE(growth.first_look());
  EXPECT_THAT(growth.grown("a", {5}), ElementsAre(5));
  growth.end_look();
  EXPECT_FALSE(growth.first_look());
  EXPECT_THAT(growth.grown("a", {7}), ElementsAre(2));
  EXPECT_THAT(growth.grown("b", {3}), ElementsAre(3));
  growth.end_look();
  EXPECT_THAT(growth.grown("a", {1}), ElementsAre(1));
}

TEST(GrowthTest, AnEntryThatWasMissingOnceCountsFromZeroEvenWhenItIsMoreThanItWas) {
  Growth growth;
  (void)growth.grown("a", {5});
  growth.end_look();
  growth.end_look();
  EXPECT_THAT(growth.grown("a", {9}), ElementsAre(9));
}

TEST(GrowthTest, WhatIsNotKnownDoesNotGrow) {
  Growth growth;
  (void)growth.grown("a", {5, 1});
  growth.end_look();
  const auto grown = growth.grown("a", {std::nan(""), 2});
  EXPECT_TRUE(std::isnan(grown[0]));
  EXPECT_EQ(grown[1], 1);
}

/// A query of entries, two of which are one series where the same statement also runs inside of a
/// function.
class Entries : public testing::Test {
 protected:
  Entries() {
    query_.labels = {"queryid"};
    const auto info =
        std::make_shared<const MetricInfo>(MetricInfo{"c_total", MetricType::counter, "C."});
    query_.metrics = {{info, "c", Rest::sum, info}};
    query_.bound = BoundSpec{"statements_max", {"c"}, {}, {"toplevel"}};
  }
  static BoundRow row(const std::string& id, const std::string& entry, double value) {
    return {{{"queryid", id}}, {value}, value, entry, {}};
  }
  std::map<std::string, double> tell(std::vector<BoundRow> rows, std::int32_t limit = 2) {
    std::map<std::string, double> out;
    for (const auto& each : bounder_.apply(std::move(rows), limit)) {
      out[each.labels[0].second] = each.values[0];
    }
    return out;
  }
  QuerySpec query_;
  Bounder bounder_{query_};
};

TEST_F(Entries, ASeriesDoesNotFallWhenOneOfItsEntriesIsThrownOut) {
  EXPECT_EQ(tell({row("1", "top", 100), row("1", "inner", 50)}).at("1"), 150);
  EXPECT_EQ(tell({row("1", "top", 101)}).at("1"), 151);
  EXPECT_EQ(tell({row("1", "top", 101), row("1", "inner", 60)}).at("1"), 211);
}

TEST_F(Entries, WhatARowGrewByWhenItComesInIsToldByTheRest) {
  EXPECT_EQ(tell({row("1", "", 100), row("2", "", 20), row("3", "", 5)}).at("other"), 25);
  // Who reads these as Prometheus does sees nothing of the first value of 2.
  const auto told = tell({row("1", "", 100), row("2", "", 900), row("3", "", 5)});
  EXPECT_EQ(told.at("2"), 900);
  EXPECT_EQ(told.at("other"), 905);
}

TEST_F(Entries, TheTotalBeginsAtZeroAndTakesNoNoticeOfWhoIsThrownOut) {
  (void)tell({row("1", "", 1000), row("2", "", 20)});
  EXPECT_THAT(bounder_.totals(), ElementsAre(0));
  (void)tell({row("2", "", 21)});
  EXPECT_THAT(bounder_.totals(), ElementsAre(1));
  (void)tell({row("1", "", 3), row("2", "", 21)});
  EXPECT_THAT(bounder_.totals(), ElementsAre(4));
}

TEST_F(Entries, IncreasesOverAllSeriesAreTheServersThroughChurnEvictionsAndResets) {
  std::mt19937 random(11);
  struct Entry {
    double value = 0;
    int since = 0;  // as stats_since of 17: without it, who is back with more than he had is missed
  };
  std::map<std::pair<int, int>, Entry> server;  // by statement and toplevel
  double server_increase = 0;
  double told_increase = 0;
  std::map<std::string, double> before;
  for (int round = 0; round < 500; ++round) {
    if (round % 97 == 96) server.clear();
    for (int k = 0; k < 15; ++k) {
      // A window of statements that moves on, so that some are never seen again.
      const int id = round / 10 + static_cast<int>(random() % 25);
      const double more = 1 + random() % (id % 5 == 0 ? 400 : 20);
      const std::pair key{id, static_cast<int>(random() % 2)};
      server.try_emplace(key, Entry{0, round}).first->second.value += more;
      if (round > 0) server_increase += more;
    }
    std::vector<BoundRow> rows;
    for (const auto& [key, entry] : server) {
      const auto part = std::to_string(key.second) + " " + std::to_string(entry.since);
      rows.push_back(row(std::to_string(key.first), part, entry.value));
    }
    const auto told = tell(rows, 10);
    ASSERT_LE(told.size(), 10U);
    for (const auto& [name, value] : told) {
      const auto old = before.find(name);
      if (old == before.end()) continue;
      ASSERT_GE(value, old->second) << name << " fell in round " << round;
      told_increase += value - old->second;
    }
    before = told;
    // The server throws out some after each look, the least used more often.
    for (auto each = server.begin(); each != server.end();) {
      const bool out = random() % static_cast<unsigned>(each->second.value / 10 + 2) == 0;
      each = out ? server.erase(each) : std::next(each);
    }
  }
  EXPECT_DOUBLE_EQ(told_increase, server_increase);
  EXPECT_DOUBLE_EQ(bounder_.totals()[0], server_increase);
}

TEST(TotalSpecTest, ATotalNeedsEntriesAndIsToldLastAndWithItsOwnName) {
  const std::string text = R"(
name: demo
summary: A probe.
queries:
  - sql: x
    labels: [id]
    bound: {limit: statements_max, by: [c], entries: [e]}
    metrics:
      - {name: a_total, column: a, type: counter, help: "A.", total: all_a_total}
      - {name: b, column: b, type: gauge, help: "B."}
)";
  const auto told = parse_probe(text, "p.yaml").queries[0].told();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[2].name, "all_a_total");
  EXPECT_EQ(told[2].type, MetricType::counter);
  const auto refused = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    changed.replace(changed.find(from), from.size(), to);
    try {
      (void)parse_probe(changed, "p.yaml");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refused(", entries: [e]", ""), HasSubstr("a total needs a bound with entries"));
  EXPECT_THAT(refused("all_a_total", "b"), HasSubstr("the metric b appears twice"));
}

}  // namespace
}  // namespace pantryd::probes
