#include <gmock/gmock.h>

#include "base/error.h"
#include "probes/engine/page.h"
#include "probes/engine/run.h"
#include "probes/engine/spec.h"

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
  EXPECT_EQ(spec.queries[0].for_major(15)->text, "old");
  EXPECT_EQ(spec.queries[0].for_major(18)->text, "new");
  EXPECT_EQ(spec.queries[0].for_major(13), nullptr);
  EXPECT_FALSE(applies(spec, {.server_version = 130'000}));
}

TEST(ProbeSpecTest, RolesAndExtensionsGateAProbe) {
  auto spec = parse_probe(kProbe, "p.yaml");
  spec.on_standby = false;
  EXPECT_TRUE(applies(spec, {.is_standby = false, .server_version = 150'000}));
  EXPECT_FALSE(applies(spec, {.is_standby = true, .server_version = 150'000}));
  spec.extension = "pg_stat_statements";
  EXPECT_FALSE(applies(spec, {.is_standby = false, .server_version = 150'000}));
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
}

TargetSnapshot snapshot_with(std::vector<Sample> samples, WallClock::time_point at) {
  TargetSnapshot out;
  out.target = "t";
  out.up = true;
  ProbeState state;
  state.name = "demo";
  state.interval = std::chrono::seconds(10);
  state.outcome = Outcome::ok;
  state.last_success = at;
  state.samples = std::make_shared<const std::vector<Sample>>(std::move(samples));
  out.probes.push_back(std::move(state));
  return out;
}

std::string page_of(TargetSnapshot snapshot, WallClock::time_point now) {
  return render_page({{std::make_shared<const TargetSnapshot>(std::move(snapshot))}, "1.2.3", now});
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

TEST(PageTest, EveryOwnMetricHasAHelpText) {
  for (const auto& info : own_metrics()) EXPECT_FALSE(info.help.empty()) << info.name;
}

}  // namespace
}  // namespace pantryd::probes
