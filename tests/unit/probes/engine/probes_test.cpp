// Probe files, bounds of statements, the text of metrics, and pages that are put together.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>

#include "base/error.h"
#include "probes/engine/bound.h"
#include "probes/engine/exposition.h"
#include "probes/engine/page.h"
#include "probes/engine/run.h"
#include "probes/engine/spec.h"
#include "serve/targets.h"

namespace pantryd::probes {
namespace {

using testing::HasSubstr;
using testing::Not;

const char* kProbe = R"(
name: demo
summary: A probe.
queries:
  - sql:
      - {versions: "14-16", text: old}
      - {versions: "17-", text: new}
    labels: [who]
    metrics:
      - {name: demo_total, column: n, type: counter, help: "Demo."}
)";

TEST(ProbeSpecTest, EveryShippedProbeIsValid) {
  const auto probes = embedded_probes();
  std::vector<std::string> names;
  for (const auto& probe : probes) names.push_back(probe.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"activity", "archiver", "database", "replication",
                                            "settings", "standby", "statements", "up"}));
}

TEST(ProbeSpecTest, TheStatementDependsOnTheServersVersion) {
  const auto spec = parse_probe(kProbe, "p.yaml");
  const auto text_on = [&](int major) {
    return sql_for(spec.queries[0].sql, {.server_version = major * 10'000}, "");
  };
  EXPECT_EQ(text_on(15), "old");
  EXPECT_EQ(text_on(18), "new");
  EXPECT_EQ(text_on(13), std::nullopt);
  EXPECT_FALSE(applies(spec, {.server_version = 130'000}));
}

// pg_upgrade leaves the extension of the old server.
TEST(ProbeSpecTest, TheStatementDependsOnTheVersionOfTheExtensionWhichIsCalledByItsSchema) {
  std::string text = kProbe;
  text.replace(text.find("queries:"), 0, "extension: pg_x\n");
  text.replace(text.find("versions: \"14-16\""), 17, "extension: \"1.9-1.10\"");
  text.replace(text.find("text: old"), 9, "text: \"SELECT @extschema@.f(), @extschema@.g()\"");
  text.replace(text.find("versions: \"17-\""), 15, "extension: \"1.11-\"");
  const auto spec = parse_probe(text, "p.yaml");
  const auto sql_with = [&](int version) {
    TargetFacts facts{.server_version = 170'000};
    facts.extensions["pg_x"] = {"\"of others\"", version};
    return sql_for(spec.queries[0].sql, facts, spec.extension);
  };
  EXPECT_EQ(sql_with(parse_extension_version("1.10")),
            "SELECT \"of others\".f(), \"of others\".g()");
  EXPECT_EQ(sql_with(parse_extension_version("1.12")), "new");
  EXPECT_EQ(sql_with(parse_extension_version("1.8")), std::nullopt);
  EXPECT_EQ(sql_with(parse_extension_version("unpackaged")), std::nullopt);
  EXPECT_EQ(sql_for(spec.queries[0].sql, {.server_version = 170'000}, "pg_x"), std::nullopt);
}

TEST(ProbeSpecTest, RolesAndExtensionsGateAProbe) {
  auto spec = parse_probe(kProbe, "p.yaml");
  spec.on_standby = false;
  EXPECT_TRUE(applies(spec, {.is_standby = false, .server_version = 150'000}));
  EXPECT_FALSE(applies(spec, {.is_standby = true, .server_version = 150'000}));
  spec.extension = "pg_stat_statements";
  EXPECT_FALSE(applies(spec, {.is_standby = false, .server_version = 150'000}));
}

TEST(ProbeSpecTest, EveryShippedProbeSaysWhatItCosts) {
  for (const auto& probe : embedded_probes()) {
    EXPECT_THAT(probe.source, HasSubstr("\ncost: " + std::string(to_string(probe.cost)) + "\n"))
        << probe.name;
    const bool by_relation = probe.source.find("limit: relations_max") != std::string::npos;
    EXPECT_TRUE(!by_relation || probe.cost == CostClass::high) << probe.name;
  }
  EXPECT_EQ(parse_probe(kProbe, "p.yaml").cost, CostClass::medium);
}

TEST(ProbeSpecTest, ProbesAboveTheClassThatIsAllowedRunOnlyWhereTheyAreNamed) {
  const auto running = [](const Settings& settings) {
    std::map<std::string, CostClass> out;
    const auto list = probe_list(settings);
    for (const auto& row : list.rows()) {
      if (row.runs) out.emplace(row.description.name, row.description.cost);
    }
    return out;
  };
  Settings settings;
  EXPECT_EQ(running(settings).count("user_tables"), 1U);
  settings.probes.cost_max = "medium";
  settings.probes.enable = {"indexes"};
  const auto medium = running(settings);
  EXPECT_EQ(medium.count("statements"), 1U);
  for (const auto& [name, cost] : medium) {
    EXPECT_TRUE(cost != CostClass::high || name == "indexes") << name;
  }
  settings.probes.cost_max = "low";
  settings.probes.disable = {"indexes"};
  const auto low = running(settings);
  EXPECT_EQ(low.count("up"), 1U);
  for (const auto& [name, cost] : low) EXPECT_EQ(cost, CostClass::low) << name;
}

TEST(ProbeSpecTest, MistakesArePointedAt) {
  const auto refused = [](std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    try {
      (void)parse_probe(text, "p.yaml");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refused(kProbe, "counter", "gage"), HasSubstr("p.yaml:10:"));
  EXPECT_THAT(refused(kProbe, "demo_total", "demo-total"), HasSubstr("not a metric name"));
  EXPECT_THAT(refused(kProbe, "labels", "lables"), HasSubstr("unknown key \"lables\""));
  EXPECT_THAT(refused(kProbe, "14-16", "fourteen"), HasSubstr("range of major versions"));
  EXPECT_THAT(refused(kProbe, "versions: \"14-16\"", "extension: \"1.9\""),
              HasSubstr("the probe names no extension"));
  EXPECT_THAT(refused(kProbe, "queries:", "columns: [id]\nrelation: shelf\nqueries:"),
              HasSubstr("named with its schema"));
}

TargetSnapshot snapshot_with(const std::vector<Sample>& samples, WallClock::time_point at) {
  TargetSnapshot out;
  out.target = "t";
  out.up = true;
  ProbeState state;
  state.name = "demo";
  state.interval = std::chrono::seconds(10);
  state.outcome = Outcome::ok;
  state.runs[static_cast<std::size_t>(Outcome::error)] = 1;
  state.last_success = at;
  Exposition text(out.target);
  for (const auto& sample : samples) text.add(sample);
  state.families = std::make_shared<const std::vector<FamilyText>>(text.take());
  out.probes.push_back(std::make_shared<const ProbeState>(std::move(state)));
  return out;
}

std::string page_of(TargetSnapshot snapshot, WallClock::time_point now,
                    TypeStyle types = TypeStyle::lint_clean) {
  return render_page(
      {{std::make_shared<const TargetSnapshot>(std::move(snapshot))}, "1.2.3", now, types});
}

std::shared_ptr<const MetricInfo> metric(std::string name, MetricType type = MetricType::gauge) {
  return std::make_shared<const MetricInfo>(
      MetricInfo{std::move(name), type, "Line one.\nLine two."});
}

TEST(PageTest, TellsTheAgeOfWhatItShows) {
  const WallClock::time_point at{std::chrono::seconds(1'000'000)};
  const auto page = page_of(snapshot_with({}, at), at + std::chrono::seconds(42));
  EXPECT_THAT(page, HasSubstr("pantryd_probe_age_seconds{probe=\"demo\",target=\"t\"} 42\n"));
  EXPECT_THAT(page, HasSubstr("pg_up{target=\"t\"} 1\n"));
  EXPECT_THAT(page,
              HasSubstr("pantryd_probe_outcome{outcome=\"ok\",probe=\"demo\",target=\"t\"} 1"));
  EXPECT_THAT(page,
              HasSubstr("pantryd_probe_outcome{outcome=\"error\",probe=\"demo\",target=\"t\"} 0"));
}

// A target was told down for the first moments after a start, before anybody had looked at it.
TEST(PageTest, WhetherATargetIsUpIsToldFromTheFirstLookOn) {
  TargetSnapshot fresh;
  fresh.target = "t";
  EXPECT_THAT(page_of(fresh, {}), Not(HasSubstr("pg_up")));
  fresh.down_reason = "connection refused";
  EXPECT_THAT(page_of(fresh, {}), HasSubstr("pg_up{target=\"t\"} 0\n"));
}

TEST(PageTest, ASeriesThatIsThereTwiceIsToldOnce) {
  // Two standbys with one name made postgres_exporter answer 500 and lose every metric.
  const auto info = metric("twice");
  const auto page =
      page_of(snapshot_with({{info, {{"a", "x"}}, 1}, {info, {{"a", "x"}}, 2}}, {}), {});
  EXPECT_THAT(page, HasSubstr("twice{a=\"x\",target=\"t\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("} 2\n")));
}

TEST(PageTest, HostileNamesAndHelpTextsStayOnTheirLine) {
  const auto page = page_of(snapshot_with({{metric("m"), {{"a", "q\"b\\c\nd"}}, 1}}, {}), {});
  EXPECT_THAT(page, HasSubstr("# HELP m Line one. Line two.\n"));
  EXPECT_THAT(page, HasSubstr(R"(m{a="q\"b\\c\nd",target="t"} 1)"));
}

TEST(PageTest, NamesThatTheLinterRefusesUnderTheirTypeAreUntyped) {
  const auto page =
      page_of(snapshot_with({{metric("pg_stat_database_xact_commit", MetricType::counter), {}, 1},
                             {metric("pg_stat_activity_count"), {}, 1},
                             {metric("calls_total", MetricType::counter), {}, 1}},
                            {}),
              {});
  EXPECT_THAT(page, HasSubstr("# TYPE pg_stat_database_xact_commit untyped"));
  EXPECT_THAT(page, HasSubstr("# TYPE pg_stat_activity_count untyped"));
  EXPECT_THAT(page, HasSubstr("# TYPE calls_total counter"));
}

TEST(PageTest, ThePeersTypesAreToldToWhoAsksForThem) {
  const auto page =
      page_of(snapshot_with({{metric("pg_stat_database_xact_commit", MetricType::counter), {}, 1},
                             {metric("pg_stat_activity_count"), {}, 1}},
                            {}),
              {}, TypeStyle::as_declared);
  EXPECT_THAT(page, HasSubstr("# TYPE pg_stat_database_xact_commit counter"));
  EXPECT_THAT(page, HasSubstr("# TYPE pg_stat_activity_count gauge"));
}

TEST(PageTest, BytesThatAreNotUtf8AreShownAsSuch) {
  const auto page = page_of(
      snapshot_with({{metric("m"), {{"a", "caf\xe9 \xed\xa0\x80 \xc0\xaf \xf0\x9f\x98\x80"}}, 1}},
                    {}),
      {});
  EXPECT_THAT(page, HasSubstr("m{a=\"caf\\\\xe9 \\\\xed\\\\xa0\\\\x80 \\\\xc0\\\\xaf "
                              "\xf0\x9f\x98\x80\",target=\"t\"} 1\n"));
}

TEST(PageTest, ThePoolIsToldWithItsHistograms) {
  auto snapshot = snapshot_with({}, {});
  PoolStatistics pool;
  pool.now.in_use = 2;
  pool.size_max = 3;
  pool.hold.add(std::chrono::milliseconds(3));
  pool.hold.add(std::chrono::minutes(5));
  pool.refusals_total[static_cast<std::size_t>(pool::Refusal::queue_full)] = 7;
  snapshot.pool = pool;
  const auto page = page_of(std::move(snapshot), {});
  EXPECT_THAT(page, HasSubstr("pantryd_pool_connections{pool=\"probes\",state=\"in_use\","
                              "target=\"t\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE pantryd_pool_hold_seconds histogram\n"));
  const auto bucket = [](const char* bound, int count) {
    return fmt::format(
        "pantryd_pool_hold_seconds_bucket{{pool=\"probes\",target=\"t\",le=\"{}\"}} {}\n", bound,
        count);
  };
  EXPECT_THAT(page, HasSubstr(bucket("0.0025", 0)));
  EXPECT_THAT(page, HasSubstr(bucket("0.005", 1)));
  EXPECT_THAT(page, HasSubstr(bucket("+Inf", 2)));
  EXPECT_THAT(page, HasSubstr("pantryd_pool_refusals_total{cause=\"queue_full\",pool=\"probes\","
                              "target=\"t\"} 7\n"));
}

TEST(PageTest, EveryOwnMetricHasAHelpText) {
  for (const auto& info : own_metrics()) EXPECT_FALSE(info.help.empty()) << info.name;
}

TEST(ExpositionTest, ValuesLoseNothing) {
  const auto text = [](double value) {
    std::string out;
    append_value(out, value);
    return out;
  };
  EXPECT_EQ(text(0), "0");
  EXPECT_EQ(text(1234567890123456), "1234567890123456");
  EXPECT_EQ(std::stod(text(0.1)), 0.1);
  EXPECT_EQ(std::stod(text(1e300)), 1e300);
  EXPECT_EQ(text(std::nan("")), "NaN");
  EXPECT_EQ(text(-HUGE_VAL), "-Inf");
}

TEST(ExpositionTest, AHistogramIsToldInItsFourParts) {
  Exposition page("t");
  page.add_histogram(metric("h", MetricType::histogram), page.labels({{"state", "idle"}}), {1, 2.5},
                     {3, 4}, 9.5, 5);
  const auto families = page.take();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].lines,
            "h_bucket{state=\"idle\",target=\"t\",le=\"1\"} 3\n"
            "h_bucket{state=\"idle\",target=\"t\",le=\"2.5\"} 4\n"
            "h_bucket{state=\"idle\",target=\"t\",le=\"+Inf\"} 5\n"
            "h_sum{state=\"idle\",target=\"t\"} 9.5\nh_count{state=\"idle\",target=\"t\"} 5\n");
}

/// A query with one counter and one gauge, bounded.
class Bounded : public testing::Test {
 protected:
  Bounded() {
    query_.labels = {"datname", "relname"};
    query_.metrics = {{metric("c_total", MetricType::counter), "c", Rest::sum},
                      {metric("g"), "g", Rest::sum},
                      {metric("worst"), "worst", Rest::max}};
    query_.bound = BoundSpec{"relations_max", {"c"}, {"datname"}};
  }
  static BoundRow row(const std::string& name, double value) {
    return {{{"datname", "shop"}, {"relname", name}}, {value, value, value}, value};
  }
  static std::map<std::string, std::vector<double>> by_name(const std::vector<BoundRow>& rows) {
    std::map<std::string, std::vector<double>> out;
    for (const auto& each : rows) out[each.labels[1].second] = each.values;
    return out;
  }
  /// What the row grew by since the round before.
  double rows_increase(const std::string& name, const std::map<std::string, double>& server) const {
    return server.at(name) - last_.at(name);
  }
  QuerySpec query_;
  Bounder bounder_{query_};
  std::map<std::string, double> last_;
};

TEST_F(Bounded, WithinTheLimitNothingChanges) {
  const auto told = by_name(bounder_.apply({row("a", 1), row("b", 2)}, 2));
  EXPECT_EQ(told.size(), 2U);
  EXPECT_EQ(told.count("other"), 0U);
}

TEST_F(Bounded, TheLowestBecomeOneSeriesAndKeepTheirDatabase) {
  const auto rows = bounder_.apply({row("a", 10), row("b", 2), row("c", 3)}, 2);
  const auto told = by_name(rows);
  EXPECT_EQ(told.at("a")[0], 10);
  EXPECT_EQ(told.at("other"), (std::vector<double>{5, 5, 3}));
  EXPECT_EQ(rows.back().labels[0].second, "shop");
}

TEST_F(Bounded, ARowOfThatNameIsToldApartFromNoOther) {
  // A table called "other" must not make a series twice.
  const auto rows = bounder_.apply({row("other", 10), row("other", 2)}, 5);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].values[0], 12);
}

TEST_F(Bounded, WhoIsInStaysUntilItIsClearlyOutranked) {
  (void)bounder_.apply({row("a", 10), row("b", 9), row("c", 8)}, 3);
  EXPECT_EQ(
      by_name(bounder_.apply({row("a", 10), row("b", 9), row("c", 8), row("d", 11)}, 3)).count("a"),
      1U);
  const auto told =
      by_name(bounder_.apply({row("a", 10), row("b", 9), row("c", 8), row("d", 11)}, 3));
  EXPECT_EQ(told.count("d"), 0U);
  EXPECT_EQ(
      by_name(bounder_.apply({row("a", 10), row("b", 9), row("c", 8), row("d", 50)}, 3)).count("d"),
      1U);
}

TEST_F(Bounded, TheRestOfACounterGoesOnWhenARowIsThrownOutOrBeginsAnew) {
  EXPECT_EQ(by_name(bounder_.apply({row("a", 100), row("b", 20), row("c", 30)}, 2)).at("other")[0],
            50);
  // b was thrown out, c grew by 5.
  EXPECT_EQ(by_name(bounder_.apply({row("a", 100), row("c", 35)}, 2)).at("other")[0], 55);
  // b is back and began anew with 4.
  EXPECT_EQ(by_name(bounder_.apply({row("a", 100), row("b", 4), row("c", 35)}, 2)).at("other")[0],
            59);
}

TEST_F(Bounded, ARowThatWasLeftOutForAMomentIsNotCountedTwice) {
  (void)bounder_.apply({row("a", 100), row("b", 20), row("c", 30)}, 2);
  (void)bounder_.apply({row("a", 100), row("c", 30)}, 2);
  EXPECT_EQ(by_name(bounder_.apply({row("a", 100), row("b", 21), row("c", 30)}, 2)).at("other")[0],
            51);
}

TEST_F(Bounded, IncreasesOverAllSeriesAreTheServersWhoeverComesAndGoes) {
  std::mt19937 random(7);
  std::map<std::string, double> server;
  std::map<std::string, double> before;
  double told_increase = 0;
  double server_increase = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<BoundRow> rows;
    for (int i = 0; i < 30; ++i) {
      const auto name = "t" + std::to_string(i);
      const double more = random() % 50 * (i % 7);
      if (round > 0) server_increase += more;
      server[name] += more;
      rows.push_back(row(name, server[name]));
    }
    const auto told = bounder_.apply(rows, 10);
    EXPECT_LE(told.size(), 10U);
    const auto now = by_name(told);
    for (const auto& [name, values] : now) {
      if (round == 0) break;
      const auto old = before.find(name);
      // A series that appears counts from where it appears, as Prometheus has it.
      if (old == before.end()) continue;
      ASSERT_GE(values[0], old->second) << name << " fell in round " << round;
      told_increase += values[0] - old->second;
    }
    // What a row does in the round in which it comes or goes is lost to rate() with any peer, too.
    for (const auto& [name, values] : now) {
      if (round > 0 && before.count(name) == 0) server_increase -= rows_increase(name, server);
    }
    before.clear();
    for (const auto& [name, values] : now) before[name] = values[0];
    last_ = server;
  }
  EXPECT_DOUBLE_EQ(told_increase, server_increase);
}

}  // namespace
}  // namespace pantryd::probes
