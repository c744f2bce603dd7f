// Which bottleneck a run is said to have, from evidence that the test makes.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/evidence/series.h"
#include "loadgen/judge/bottleneck.h"
#include "loadgen/result/result.h"

namespace pantryd::loadgen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

BottleneckFacts busy(std::map<std::string, std::int64_t> waits) {
  BottleneckFacts out;
  out.waits = std::move(waits);
  out.connections = 10;
  out.busy_share = 0.99;
  out.wait_mean_us = 90'000;
  out.service_mean_us = 5'000;
  out.server_cpu_busy = 0.97;
  out.server_disk_busy = 0.4;
  return out;
}

TEST(BottleneckTest, TheFirstThatExplainsTheOthersIsNamed) {
  const auto name = [](std::map<std::string, std::int64_t> waits) {
    return name_bottleneck(busy(std::move(waits))).name;
  };
  EXPECT_EQ(name({{"Lock:transactionid", 40}, {"Lock:tuple", 20}, {"IO:WALSync", 30}, {"CPU", 10}}),
            "lock");
  EXPECT_EQ(name({{"IPC:SyncRep", 60}, {"IO:WALSync", 35}}), "replication");
  EXPECT_EQ(name({{"IO:WALSync", 20}, {"LWLock:WALWrite", 15}, {"CPU", 65}}), "commit");
  EXPECT_EQ(name({{"IO:WalSync", 20}, {"IO:WalWrite", 15}, {"CPU", 65}}), "commit");  // 17 and on
  EXPECT_EQ(name({{"IO:DataFileRead", 50}, {"CPU", 50}}), "read");
  EXPECT_EQ(name({{"LWLock:BufferContent", 60}, {"CPU", 40}}), "wait");
  EXPECT_EQ(name({{"CPU", 90}, {"Client:ClientRead", 10}}), "cpu");
  EXPECT_EQ(name({{"Timeout:PgSleep", 100}}), "connections");
}

TEST(BottleneckTest, TheSentenceHasTheNumbers) {
  auto facts = busy({{"Lock:transactionid", 60}, {"Lock:tuple", 20}, {"CPU", 20}});
  facts.contended = {{"products", 70}, {"users", 1}};
  EXPECT_EQ(name_bottleneck(facts).text,
            "Locks: 80 % of 100 sessions seen at work waited for locks of others "
            "(Lock:transactionid 60 %, Lock:tuple 20 %), most on rows of products.");
  EXPECT_EQ(name_bottleneck(busy({{"IO:WALSync", 50}, {"CPU", 50}})).text,
            "Commits: 50 % of 100 sessions seen at work waited for WAL to be written and flushed "
            "(IO:WALSync 50 %); the disk was 40 % busy.");
  EXPECT_EQ(name_bottleneck(busy({{"CPU", 50}})).text,
            "Processors: the host's were 97 % busy, and 100 % of 50 sessions seen at work were on "
            "one or wanted one.");
  EXPECT_EQ(name_bottleneck(busy({})).text,
            "Connections: the 10 were 99 % in use, and an operation waited 90.0 ms for one and "
            "worked 5.0 ms.");
}

TEST(BottleneckTest, AClientAtItsLimitComesBeforeEverythingElse) {
  auto facts = busy({{"Lock:tuple", 100}});
  facts.client_finding = "The client was busy: 97 % of its core.";
  EXPECT_EQ(name_bottleneck(facts).name, "client");
  EXPECT_THAT(name_bottleneck(facts).text, HasSubstr("97 %"));
}

TEST(BottleneckTest, TooFewLooksOrAServerFarAwaySayNothingOfTheServer) {
  auto few = busy({{"Lock:tuple", 9}});
  few.busy_share = 0.5;
  EXPECT_EQ(name_bottleneck(few).name, "none");
  auto far = busy({{"CPU", 90}});
  far.server_cpu_busy.reset();
  far.busy_share = 0.5;
  EXPECT_EQ(name_bottleneck(far).text, "Nothing stands out.");
  auto idle_neighbour = busy({{"Timeout:PgSleep", 100}});  // others have the processors
  idle_neighbour.busy_share = 0.5;
  EXPECT_EQ(name_bottleneck(idle_neighbour).name, "none");
  auto quick = busy({{"Client:ClientRead", 100}});
  quick.wait_mean_us = 100;
  EXPECT_EQ(name_bottleneck(quick).name, "none");
}

TEST(BottleneckTest, TheFactsOfAResultAreThoseOfItsMeasuredPart) {
  LoadResult result;
  result.options.connections = 2;
  result.totals.client.measured_s = 10;
  result.environment.server_local = true;
  OperationResult operation;
  for (int i = 0; i < 100; ++i) operation.totals.service.record(100'000);
  for (int i = 0; i < 100; ++i) operation.totals.wait.record(300'000);
  result.operations.push_back(std::move(operation));
  EvidenceSecond warm_up{.from_s = -1, .to_s = 0};
  warm_up.cpu_busy = 0;
  EvidenceSecond inside{.from_s = 0, .to_s = 1};
  inside.cpu_busy = 0.8;
  EvidenceSecond longer{.from_s = 1, .to_s = 4};
  longer.cpu_busy = 0.4;
  EvidenceSecond drain{.from_s = 11, .to_s = 12};
  drain.cpu_busy = 0;
  result.evidence.seconds = {warm_up, inside, longer, drain};
  const auto facts = bottleneck_facts(result);
  EXPECT_NEAR(facts.busy_share, 0.5, 0.001);
  EXPECT_NEAR(facts.wait_mean_us, 300'000, 1);
  EXPECT_NEAR(facts.server_cpu_busy.value(), 0.5, 0.001);
  EXPECT_EQ(facts.server_disk_busy, std::nullopt);
  result.environment.server_local = false;
  EXPECT_EQ(bottleneck_facts(result).server_cpu_busy, std::nullopt);
}

Look look_at(double at_s, double commits) {
  Look out;
  out.at_s = at_s;
  out.answered = true;
  out.counters = {{"commits", commits}, {"rollbacks", 0}, {"other_transactions", 10 * at_s}};
  out.gauges = {{"started_at", 1000}, {"configured_at", 1000}};
  out.waits = {{"CPU", 2}};
  out.cpu = CpuTimes{.busy_s = at_s, .idle_s = at_s / 2, .iowait_s = 0, .steal_s = at_s / 2};
  return out;
}

TEST(SeriesTest, RatesAreOfTheTimeBetweenTwoLooks) {
  const auto series = differences({look_at(-1, 0), look_at(0, 50), look_at(2, 250)}, 2);
  ASSERT_EQ(series.seconds.size(), 2U);
  EXPECT_DOUBLE_EQ(series.seconds[0].per_s.at("commits"), 50);
  EXPECT_DOUBLE_EQ(series.seconds[1].per_s.at("commits"), 100);
  EXPECT_DOUBLE_EQ(series.seconds[1].cpu_busy.value(), 0.5);
  EXPECT_DOUBLE_EQ(series.seconds[1].cpu_steal.value(), 0.25);
  EXPECT_DOUBLE_EQ(series.totals.at("commits"), 250);
  EXPECT_THAT(series.waits, ElementsAre(Pair("CPU", 4)));  // not those of the warm-up
  EXPECT_DOUBLE_EQ(series.server.own_transactions, 250);
  EXPECT_DOUBLE_EQ(series.server.other_transactions, 30);
  EXPECT_DOUBLE_EQ(series.server.elapsed_s, 3);
  EXPECT_FALSE(series.server.restarted);
  EXPECT_DOUBLE_EQ(series.host.elapsed_s, 2);
  EXPECT_DOUBLE_EQ(series.host.steal_share.value(), 0.25);
}

TEST(SeriesTest, ACrashIsAGapAndItsCountersBeginAnew) {
  Look away;
  away.at_s = 2;
  auto after = look_at(3, 40);
  auto last = look_at(4, 90);
  after.gauges["started_at"] = last.gauges["started_at"] = 1002;
  const auto series = differences({look_at(0, 0), look_at(1, 100), away, after, last}, 4);
  ASSERT_EQ(series.seconds.size(), 4U);
  EXPECT_THAT(series.seconds[1].per_s, IsEmpty());
  EXPECT_THAT(series.seconds[2].per_s, IsEmpty());
  EXPECT_DOUBLE_EQ(series.seconds[3].per_s.at("commits"), 50);
  EXPECT_DOUBLE_EQ(series.totals.at("commits"), 100 + 40 + 50);
  EXPECT_TRUE(series.server.restarted);
}

TEST(SeriesTest, NoLookAtAllAndOneLookSayNothing) {
  EXPECT_THAT(differences({}, 10).seconds, IsEmpty());
  const auto one = differences({look_at(0, 5)}, 10);
  EXPECT_THAT(one.totals, IsEmpty());
  EXPECT_EQ(one.host.steal_share, std::nullopt);
  EXPECT_DOUBLE_EQ(one.server.elapsed_s, 0);
}

TEST(SeriesTest, ThinningLosesNoCount) {
  std::vector<Look> looks;
  for (int i = 0; i <= 8; ++i) looks.push_back(look_at(i, 100 * i));
  thin(looks);
  EXPECT_EQ(looks.size(), 5U);
  EXPECT_DOUBLE_EQ(differences(looks, 8).totals.at("commits"), 800);
}

TEST(SeriesTest, StatementsAreTheDifferenceAndThoseWithMostTimeComeFirst) {
  const auto counts = [](double calls, double time_ms) {
    StatementCounts out;
    out.calls = calls;
    out.time_ms = time_ms;
    return out;
  };
  const Statements before = {{"1", counts(10, 100)}, {"2", counts(5, 5)}, {"3", counts(90, 900)}};
  const Statements after = {
      {"1", counts(30, 180)}, {"2", counts(5, 5)}, {"3", counts(2, 30)}, {"4", counts(1, 999)}};
  const auto top = top_statements(before, after, 2);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].first, "4");
  EXPECT_EQ(top[1].first, "1");
  EXPECT_DOUBLE_EQ(top[1].second.calls, 20);
  EXPECT_DOUBLE_EQ(top[1].second.time_ms, 80);
  const auto all = top_statements(before, after, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_DOUBLE_EQ(all[2].second.calls, 2);  // evicted and tracked anew
}

TEST(SeriesTest, GrowthIsToldOfTablesThatWereThereBefore) {
  const auto grown = growth({{"a", 100, 10, 5}}, {{"a", 150, 15, 9}, {"b", 1, 1, 1}});
  ASSERT_EQ(grown.size(), 1U);
  EXPECT_EQ(grown[0].table_grown_bytes, 50);
  EXPECT_EQ(grown[0].index_grown_bytes, 5);
}

}  // namespace
}  // namespace pantryd::loadgen
