// The probes list command: the probes in this binary, also as docs/metrics.md.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/command.h"
#include "probes/engine/page.h"
#include "serve/probe_list.h"

namespace pantryd::cli {
namespace {

const char* type_name(probes::MetricType type) {
  switch (type) {
    case probes::MetricType::gauge:
      return "gauge";
    case probes::MetricType::counter:
      return "counter";
    case probes::MetricType::untyped:
      return "untyped";
    case probes::MetricType::histogram:
      return "histogram";
  }
  return "untyped";
}

std::string roles_of(const probes::ProbeDescription& probe) {
  if (probe.on_primary && probe.on_standby) return "primary, standby";
  return probe.on_primary ? "primary" : "standby";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string first_sentence(const std::string& text) {
  const auto end = text.find(". ");
  return end == std::string::npos ? text : text.substr(0, end + 1);
}

void print_row(const probes::MetricInfo& metric, const std::string& labels) {
  fmt::print("| `{}` | {} | {} | {} |\n", metric.name, type_name(metric.type), labels, metric.help);
}

void print_markdown(const std::vector<ProbeRow>& rows) {
  constexpr const char* head = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  fmt::print(
      "# Metrics\n\nWritten by `pantryd probes list --markdown`; do not edit.\n\nEvery metric of a "
      "probe carries the label `target` too. Names of postgres_exporter (`pg_*`) keep their "
      "labels. Where its type breaks a rule of Prometheus' linter, the page says untyped, unless "
      "it is requested with `?types=postgres_exporter`.\n\n## The daemon itself\n\n{}",
      head);
  for (const auto& metric : probes::own_metrics()) {
    print_row(metric, "target, probe, outcome where they apply");
  }
  for (const auto& row : rows) {
    const auto& probe = row.description;
    fmt::print(
        "\n## Probe {}\n\n{}\n\nEvery {}, for at most {}; cost: {}; on: {}.{}\n\n{}", probe.name,
        probe.summary, format_duration(probe.interval), format_duration(probe.timeout),
        to_string(probe.cost), roles_of(probe),
        probe.extension.empty() ? "" : fmt::format(" Needs the extension {}.", probe.extension),
        head);
    for (const auto& metric : probe.metrics) print_row(metric.info, joined(metric.labels));
  }
}

int run_probes_list(const Context& context, const Values& values) {
  const ProbeList probe_list{ProbeSettings{}};
  if (values.flag("markdown")) {
    print_markdown(probe_list.rows());
    return 0;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : probe_list.rows()) {
    const auto& probe = row.description;
    list.push_back({{"name", probe.name},
                    {"summary", probe.summary},
                    {"interval_ms", probe.interval.count()},
                    {"cost", to_string(probe.cost)},
                    {"roles", roles_of(probe)},
                    {"metrics", probe.metrics.size()}});
    if (!context.json) {
      fmt::print("{:<19} {:>4} {:<6} {:<17} {:>3} metrics  {}\n", probe.name,
                 format_duration(probe.interval), to_string(probe.cost), roles_of(probe),
                 probe.metrics.size(), first_sentence(probe.summary));
    }
  }
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.probes"}, {"version", 1}, {"probes", list}};
    fmt::print("{}\n", json.dump(2));
  }
  return 0;
}

}  // namespace

Command probes_list_command() {
  return {.name = "probes list",
          .summary = "list the probes, how often they run and what they cost",
          .usage = "[--markdown] [--json]",
          .options = {flag("markdown", "print the text of docs/metrics.md")},
          .examples = {"pantryd probes list"},
          .exits = {},
          .run = run_probes_list};
}

}  // namespace pantryd::cli
