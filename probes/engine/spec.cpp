#include "probes/engine/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/embedded.h"
#include "base/error.h"
#include "base/yaml.h"

namespace pantryd::probes {
namespace {

bool is_metric_name(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") ==
         std::string::npos;
}

/// "14-16", "17-", "-16", "15".
VersionedSql parse_versions(const YamlValue& value) {
  VersionedSql out;
  const auto text = value.as_text();
  const auto dash = text.find('-');
  const auto number = [&](const std::string& digits, int fallback) {
    if (digits.empty()) return fallback;
    int major = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), major);
    if (failure != std::errc{} || end != digits.data() + digits.size()) {
      throw value.error(fmt::format("\"{}\" is not a range of major versions", text),
                        "For example 14-16, 17- or 15.");
    }
    return major;
  };
  out.major_min = number(text.substr(0, dash), out.major_min);
  out.major_max =
      dash == std::string::npos ? out.major_min : number(text.substr(dash + 1), out.major_max);
  return out;
}

std::vector<VersionedSql> parse_sql(const YamlValue& value) {
  std::vector<VersionedSql> out;
  if (value.is_scalar()) {
    out.push_back({});
    out.back().text = value.as_text();
    return out;
  }
  for (const auto& item : value.as_list()) {
    auto map = item.as_map();
    out.push_back(parse_versions(map.require("versions")));
    out.back().text = map.require("text").as_text();
    map.done();
  }
  return out;
}

MetricColumn parse_metric(const YamlValue& item) {
  auto map = item.as_map();
  auto info = std::make_shared<MetricInfo>();
  const auto name = map.require("name");
  info->name = name.as_text();
  if (!is_metric_name(info->name)) {
    throw name.error(fmt::format("\"{}\" is not a metric name", info->name));
  }
  info->help = map.require("help").as_text();
  const auto type = map.require("type").as_choice({"gauge", "counter", "untyped"});
  if (type == "counter") info->type = MetricType::counter;
  if (type == "untyped") info->type = MetricType::untyped;
  MetricColumn out{std::move(info), map.require("column").as_text()};
  map.done();
  return out;
}

std::vector<std::string> parse_names(const YamlValue& value) {
  std::vector<std::string> out;
  for (const auto& item : value.as_list()) out.push_back(item.as_text());
  return out;
}

QuerySpec parse_query(const YamlValue& item) {
  auto map = item.as_map();
  QuerySpec out;
  out.sql = parse_sql(map.require("sql"));
  if (const auto names = map.find("parameters")) {
    for (const auto& name : names->as_list()) {
      out.parameters.push_back(name.as_choice({"statements_max"}));
    }
  }
  if (const auto labels = map.find("labels")) out.labels = parse_names(*labels);
  for (const auto& metric : map.require("metrics").as_list()) {
    out.metrics.push_back(parse_metric(metric));
  }
  map.done();
  return out;
}

}  // namespace

const VersionedSql* QuerySpec::for_major(int major) const {
  for (const auto& each : sql) {
    if (major >= each.major_min && major <= each.major_max) return &each;
  }
  return nullptr;
}

ProbeSpec parse_probe(const std::string& text, const std::string& source_name) {
  auto map = YamlValue::parse(text, source_name).as_map();
  ProbeSpec out;
  out.name = map.require("name").as_text();
  out.summary = map.require("summary").as_text();
  if (const auto value = map.find("interval")) out.interval = value->as_duration();
  if (const auto value = map.find("timeout")) out.timeout = value->as_duration();
  if (const auto value = map.find("extension")) out.extension = value->as_text();
  if (const auto value = map.find("roles")) {
    out.on_primary = out.on_standby = false;
    for (const auto& role : value->as_list()) {
      (role.as_choice({"primary", "standby"}) == "primary" ? out.on_primary : out.on_standby) =
          true;
    }
  }
  std::set<std::string> names;
  for (const auto& query : map.require("queries").as_list()) {
    out.queries.push_back(parse_query(query));
    for (const auto& metric : out.queries.back().metrics) {
      if (!names.insert(metric.metric->name).second) {
        throw query.error(fmt::format("the metric {} is there twice", metric.metric->name));
      }
    }
  }
  map.done();
  return out;
}

std::vector<ProbeSpec> embedded_probes() {
  std::vector<ProbeSpec> out;
  for (const auto& file : embedded::probes()) {
    out.push_back(parse_probe(std::string(file.content), std::string(file.name)));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace pantryd::probes
