// What can be said about dashboards, alerts and the runbook without a server. That every query
// returns data is asked in tests/integration/dashboards/dashboards_test.cpp.
#include <gmock/gmock.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/file.h"
#include "base/subprocess.h"
#include "tests/support/metric_catalogue.h"
#include "tests/support/places.h"
#include "tests/support/promql.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing_support::dashboard_queries;
using testing_support::metric_catalogue;
using testing_support::metrics_of;
using testing_support::substituted;

const std::string kSource = places::source_dir;

std::map<std::string, json> dashboards() {
  std::map<std::string, json> found;
  for (const auto& entry : fs::directory_iterator(kSource + "/dashboards/grafana")) {
    if (entry.path().extension() != ".json") continue;
    found[entry.path().filename()] = json::parse(read_file(entry.path()));
  }
  return found;
}

/// Calls `check` with every panel that is not a row.
template <typename Check>
void each_panel(Check check) {
  int seen = 0;
  for (const auto& [file, dashboard] : dashboards()) {
    for (const auto& panel : dashboard.at("panels")) {
      SCOPED_TRACE(file + ": " + panel.value("title", "(no title)"));
      ++seen;
      if (panel.at("type") != "row") check(panel);
    }
  }
  EXPECT_GT(seen, 30);
}

/// Calls `check` with every object anywhere in `value` that is the value of `key`.
template <typename Check>
void each_value(const json& value, const std::string& key, Check check) {
  if (value.is_object() && value.contains(key)) check(value.at(key));
  if (!value.is_structured()) return;
  for (const auto& child : value) each_value(child, key, check);
}

std::vector<YAML::Node> rules() {
  std::vector<YAML::Node> found;
  for (const auto& entry : fs::directory_iterator(kSource + "/dashboards/prometheus")) {
    if (entry.path().string().find(".rules.yaml") == std::string::npos) continue;
    for (const auto& group : YAML::LoadFile(entry.path())["groups"]) {
      for (const auto& rule : group["rules"]) found.push_back(rule);
    }
  }
  return found;
}

std::set<std::string> alert_names() {
  std::set<std::string> names;
  for (const auto& rule : rules()) names.insert(rule["alert"].as<std::string>());
  return names;
}

/// A counter is only read through a rate, and a gauge never is.
void expect_well_used(const std::string& expression, const std::set<std::string>& also_known) {
  SCOPED_TRACE(expression);
  static const auto known = metric_catalogue();
  const std::set<std::string> rates{"rate", "irate", "increase"};
  for (const auto& use : metrics_of(expression)) {
    if (also_known.count(use.name) > 0) continue;
    const auto metric = known.find(use.name);
    if (metric == known.end()) {
      ADD_FAILURE() << use.name << " is no metric of pantryd";
    } else if (metric->second == probes::MetricType::counter) {
      EXPECT_EQ(rates.count(use.function), 1U) << use.name << " is a counter, read raw";
    } else {
      EXPECT_EQ(rates.count(use.function), 0U) << use.name << " is a gauge, read as a counter";
    }
  }
}

std::vector<std::string> names_in(const std::string& expression) {
  std::vector<std::string> names;
  for (const auto& use : metrics_of(expression)) names.push_back(use.function + ":" + use.name);
  return names;
}

TEST(PromqlTest, MetricsAreToldFromLabelsFunctionsAndMatchers) {
  EXPECT_THAT(names_in("a / on (x, y) group_left (z) b{l=\"c{}\", m=~\"d|e\"}"),
              ElementsAre(":a", ":b"));
  EXPECT_THAT(names_in("sum by (x) (rate(a[5m])) and topk(3, b offset 5m) > 1e9"),
              ElementsAre("rate:a", "topk:b"));
  EXPECT_THAT(
      names_in("sum without (x) (a) + max(rate(b{}[$__rate_interval])) by (y) or vector(0)"),
      ElementsAre("sum:a", "rate:b"));
  EXPECT_THAT(names_in("0 * (max by (t) (up) == bool 1) unless on (t) c"),
              ElementsAre("max:up", ":c"));
}

TEST(DashboardTest, EveryPanelHasUnitDescriptionAndDatasourceVariable) {
  const std::set<std::string> types{"stat", "timeseries", "table", "bargauge"};
  each_panel([&](const json& panel) {
    EXPECT_EQ(types.count(panel.at("type")), 1U) << panel.at("type");
    EXPECT_GT(panel.value("description", "").size(), 15U) << "no description";
    EXPECT_EQ(panel.value("/datasource/uid"_json_pointer, ""), "${datasource}");
    EXPECT_FALSE(panel.value("/fieldConfig/defaults/unit"_json_pointer, "").empty()) << "no unit";
    EXPECT_TRUE(panel.contains("/fieldConfig/defaults/thresholds/steps/0"_json_pointer));
    EXPECT_FALSE(panel.value("targets", json::array()).empty()) << "no query";
  });
}

TEST(DashboardTest, NoDatasourceIsHardCoded) {
  for (const auto& [file, dashboard] : dashboards()) {
    SCOPED_TRACE(file);
    each_value(dashboard, "datasource", [](const json& source) {
      if (source.at("type") == "grafana") return;  // the built-in annotations
      EXPECT_EQ(source, (json{{"type", "prometheus"}, {"uid", "${datasource}"}}));
    });
    const auto& variables = dashboard.at("templating").at("list");
    ASSERT_EQ(variables.size(), 2U);
    EXPECT_EQ(variables[0].at("name"), "datasource");
    EXPECT_EQ(variables[0].at("type"), "datasource");
    EXPECT_EQ(variables[1].at("definition"), "label_values(pg_up, target)");
    EXPECT_TRUE(variables[1].at("multi") && variables[1].at("includeAll"));
  }
}

TEST(DashboardTest, IdsAreUniqueAndTheDashboardCanBeLinkedTo) {
  std::set<std::string> uids;
  for (const auto& [file, dashboard] : dashboards()) {
    SCOPED_TRACE(file);
    EXPECT_TRUE(uids.insert(dashboard.at("uid").get<std::string>()).second) << "uid is taken";
    EXPECT_EQ(dashboard.at("title").get<std::string>().rfind("pantryd / ", 0), 0U);
    EXPECT_GE(dashboard.at("schemaVersion"), 39);
    std::set<int> ids;
    for (const auto& panel : dashboard.at("panels")) {
      EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second)
          << panel.at("id") << " appears twice";
    }
  }
}

TEST(DashboardTest, NoTwoPanelsShareAPlace) {
  for (const auto& [file, dashboard] : dashboards()) {
    std::map<std::pair<int, int>, std::string> taken;
    for (const auto& panel : dashboard.at("panels")) {
      const auto& pos = panel.at("gridPos");
      EXPECT_LE(pos.at("x").get<int>() + pos.at("w").get<int>(), 24) << panel.at("title");
      for (int x = pos.at("x"); x < pos.at("x").get<int>() + pos.at("w").get<int>(); ++x) {
        for (int y = pos.at("y"); y < pos.at("y").get<int>() + pos.at("h").get<int>(); ++y) {
          const auto [at, added] = taken.emplace(std::pair(x, y), panel.at("title"));
          ASSERT_TRUE(added) << file << ": " << panel.at("title") << " lies on " << at->second;
        }
      }
    }
  }
}

// Grafana takes an unknown unit, reducer, colour or override without a word and shows something
// else, so that drawing a panel does not catch it. The names are those of Grafana's registries.
TEST(DashboardTest, UnitsReducersAndOverridesAreOnesThatGrafanaKnows) {
  const std::set<std::string> units{"none", "short",       "bytes", "binBps",
                                    "s",    "percentunit", "ops",   "cps"};
  const std::set<std::string> colors{"thresholds", "palette-classic", "fixed"};
  each_panel([&](const json& panel) {
    const auto& defaults = panel.at("fieldConfig").at("defaults");
    EXPECT_EQ(units.count(defaults.at("unit")), 1U) << defaults.at("unit");
    EXPECT_EQ(colors.count(defaults.at("color").at("mode")), 1U);
    for (const auto& calc : panel.value("/options/reduceOptions/calcs"_json_pointer, json::array()))
      EXPECT_EQ(calc, "lastNotNull");
    std::set<std::string> refs;
    for (const auto& target : panel.at("targets")) refs.insert(target.at("refId"));
    for (const auto& field_override : panel.at("fieldConfig").at("overrides")) {
      const auto& matcher = field_override.at("matcher");
      const std::string field = matcher.at("options");
      if (matcher.at("id") == "byFrameRefID") {
        EXPECT_EQ(refs.count(field), 1U) << "no query " << field;
      } else if (field.rfind("Value", 0) == 0) {
        const auto expected =
            refs.size() == 1 ? "Value" : "Value #" + field.substr(field.size() - 1);
        EXPECT_EQ(field, expected);
        EXPECT_TRUE(refs.size() == 1 || refs.contains(field.substr(field.size() - 1)))
            << "no query for " << field;
      } else {
        EXPECT_EQ(matcher.at("id"), "byName");
        const auto& query = panel.at("targets")[0].at("expr").get_ref<const std::string&>();
        EXPECT_THAT(query, testing::HasSubstr(field)) << "no label " << field;
      }
      for (const auto& property : field_override.at("properties")) {
        if (property.at("id") != "unit") continue;
        EXPECT_EQ(units.count(property.at("value")), 1U) << property.at("value");
      }
    }
  });
}

TEST(DashboardTest, QueriesReadMetricsThatExistEachInItsOwnWay) {
  for (const auto& query : dashboard_queries(kSource)) {
    SCOPED_TRACE(query.where);
    expect_well_used(query.expression, {"ALERTS"});
  }
  for (const auto& [file, dashboard] : dashboards()) {
    for (const auto& note : dashboard.at("annotations").at("list")) {
      if (note.contains("expr")) expect_well_used(note.at("expr"), {});
    }
  }
}

TEST(DashboardTest, QueriesHonourTheTargetVariableAndTheRateInterval) {
  for (const auto& query : dashboard_queries(kSource)) {
    SCOPED_TRACE(query.where);
    if (query.expression.find("ALERTS") == std::string::npos) {
      EXPECT_THAT(query.expression, testing::HasSubstr("target=~\"$target\""));
    }
    const std::regex window(R"(\[([^\]]*)\])");
    for (auto at = std::sregex_iterator(query.expression.begin(), query.expression.end(), window);
         at != std::sregex_iterator(); ++at) {
      EXPECT_EQ((*at)[1], "$__rate_interval");
    }
  }
}

TEST(DashboardTest, EveryExpressionParses) {
  YAML::Node file;
  int number = 0;
  YAML::Node group;
  group["name"] = "expressions";
  for (const auto& query : dashboard_queries(kSource)) {
    YAML::Node rule;
    rule["record"] = "expression:" + std::to_string(number++);
    rule["expr"] = substituted(query.expression);
    group["rules"].push_back(rule);
  }
  file["groups"].push_back(group);
  const auto path = fs::temp_directory_path() / ("pantryd-exprs-" + std::to_string(::getpid()));
  write_file_atomically(path, YAML::Dump(file));
  const auto result = run_child({{"promtool", "check", "rules", path.string()}},
                                Deadline::in(std::chrono::seconds(30)));
  fs::remove(path);
  EXPECT_TRUE(result.ok()) << result.output;
}

TEST(AlertTest, EveryAlertSaysHowBadItIsWhatItIsAndWhereToRead) {
  ASSERT_GT(rules().size(), 20U);
  for (const auto& rule : rules()) {
    const auto name = rule["alert"].as<std::string>();
    SCOPED_TRACE(name);
    const auto severity = rule["labels"]["severity"].as<std::string>("");
    EXPECT_TRUE(severity == "warning" || severity == "critical") << severity;
    EXPECT_TRUE(rule["annotations"]["summary"] && rule["annotations"]["description"]);
    std::string anchor = name;
    for (auto& c : anchor) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_EQ(rule["annotations"]["runbook_url"].as<std::string>(""), "docs/runbook.md#" + anchor);
  }
}

TEST(AlertTest, EveryAlertHasASectionOfTheRunbookAndEverySectionAnAlert) {
  std::set<std::string> sections;
  std::istringstream runbook(read_file(kSource + "/docs/runbook.md"));
  for (std::string line; std::getline(runbook, line);) {
    if (line.rfind("## Pantryd", 0) == 0) sections.insert(line.substr(3));
  }
  EXPECT_THAT(sections, ElementsAreArray(alert_names()));
}

TEST(AlertTest, RulesReadMetricsThatExistEachInItsOwnWay) {
  for (const auto& rule : rules()) {
    expect_well_used(rule["expr"].as<std::string>(), {"up", "pantryd:expected_target"});
  }
}

TEST(AlertTest, EveryAlertIsTestedToFireInEachSeverityAndToStayQuiet) {
  std::set<std::string> fired;
  std::set<std::string> quiet;
  for (const auto& entry : fs::directory_iterator(kSource + "/dashboards/prometheus/tests")) {
    for (const auto& test : YAML::LoadFile(entry.path())["tests"]) {
      for (const auto& check : test["alert_rule_test"]) {
        const auto name = check["alertname"].as<std::string>();
        if (check["exp_alerts"].size() == 0) quiet.insert(name);
        for (const auto& alert : check["exp_alerts"]) {
          fired.insert(name + " " + alert["exp_labels"]["severity"].as<std::string>());
        }
      }
    }
  }
  std::set<std::string> expected;
  for (const auto& rule : rules()) {
    expected.insert(rule["alert"].as<std::string>() + " " +
                    rule["labels"]["severity"].as<std::string>());
  }
  EXPECT_THAT(fired, ElementsAreArray(expected));
  EXPECT_THAT(quiet, ElementsAreArray(alert_names()));
}

}  // namespace
}  // namespace pantryd
