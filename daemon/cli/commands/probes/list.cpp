#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/subcommands.h"
#include "probes/engine/page.h"
#include "probes/engine/spec.h"
#include "serve/coded_probes.h"
#include "serve/migration_probe.h"
#include "serve/targets.h"

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

std::string roles_of(const probes::ProbeSpec& spec) {
  if (spec.on_primary && spec.on_standby) return "primary, standby";
  return spec.on_primary ? "primary" : "standby";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

void print_rows(const std::vector<probes::MetricInfo>& metrics, const std::string& labels) {
  for (const auto& metric : metrics) {
    fmt::print("| `{}` | {} | {} | {} |\n", metric.name, type_name(metric.type), labels,
               metric.help);
  }
}

void print_markdown(const std::vector<probes::ProbeSpec>& specs) {
  constexpr const char* head = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  fmt::print(
      "# Metrics\n\nWritten by `pantryd probes list --markdown`; do not edit.\n\nEvery metric of a "
      "probe carries the label `target` too. Names of postgres_exporter (`pg_*`) keep their "
      "labels; those that it types against the rules of Prometheus' linter are told as untyped on "
      "the page, unless it is asked with `?types=postgres_exporter`.\n\n## The daemon itself\n\n{}",
      head);
  print_rows(probes::own_metrics(), "target, probe, outcome where they apply");
  for (const auto& spec : specs) {
    fmt::print(
        "\n## Probe {}\n\n{}\n\nEvery {}, for at most {}; cost: {}; on: {}.{}\n\n{}", spec.name,
        spec.summary, format_duration(spec.interval), format_duration(spec.timeout),
        to_string(spec.cost), roles_of(spec),
        spec.extension.empty() ? "" : fmt::format(" Needs the extension {}.", spec.extension),
        head);
    for (const auto& query : spec.queries) {
      const auto told = query.told();
      const auto totals = told.begin() + static_cast<std::ptrdiff_t>(query.metrics.size());
      print_rows({told.begin(), totals}, joined(query.labels));
      print_rows({totals, told.end()}, "");
    }
  }
  for (const auto& coded : coded_probes()) {
    fmt::print("\n## Probe {}\n\n{}\n\nEvery {}, for at most {}.\n\n{}", coded.name, coded.summary,
               format_duration(coded.interval), format_duration(coded.timeout), head);
    for (const auto& metric : coded.metrics) print_rows({metric.info}, joined(metric.labels));
  }
  const auto migrations = migration_probe();
  fmt::print(
      "\n## Probe {}\n\nWhere the schema stands; applies where pantryd has migrated.\n\n"
      "Every {}, for at most {}; on: primary, standby.\n\n{}",
      migrations.name, format_duration(migrations.interval), format_duration(migrations.timeout),
      head);
  print_rows(migration_metrics(), "");
  const auto backup = backup_probe({});
  fmt::print(
      "\n## Probe {}\n\nFolders of backups that the configuration names.\n\nEvery {}, for at "
      "most {}.\n\n{}",
      backup.name, format_duration(backup.interval), format_duration(backup.timeout), head);
  print_rows(backup_metrics(), "kind, name");
}

}  // namespace

int run_probes_list(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("markdown", "write docs/metrics.md");
  const auto values = parse("probes list [--markdown]", options, {}, arguments);
  if (!values) return 0;
  const auto specs = probes::embedded_probes();
  if (values->count("markdown") > 0) {
    print_markdown(specs);
    return 0;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& spec : specs) {
    std::size_t metrics = 0;
    for (const auto& query : spec.queries) metrics += query.told().size();
    list.push_back({{"name", spec.name},
                    {"summary", spec.summary},
                    {"interval_ms", spec.interval.count()},
                    {"cost", to_string(spec.cost)},
                    {"roles", roles_of(spec)},
                    {"metrics", metrics}});
    if (!context.json) {
      fmt::print("{:<19} {:>4} {:<6} {:<17} {:>3} metrics  {}\n", spec.name,
                 format_duration(spec.interval), to_string(spec.cost), roles_of(spec), metrics,
                 spec.summary);
    }
  }
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.probes"}, {"version", 1}, {"probes", list}};
    fmt::print("{}\n", json.dump(2));
  }
  return 0;
}

}  // namespace pantryd::cli
