// Reads probe files. Invariant: the probes of the binary are parsed once and never change.
#include "probes/engine/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "base/yaml.h"
#include "probes/engine/page.h"
#include "probes/engine/same_labels.h"

namespace pantryd::probes {
namespace {

constexpr std::size_t kFileLimitBytes = 1U << 20U;
constexpr std::size_t kFilesMax = 200;
constexpr std::int64_t kBoundMax = 100'000;

bool is_metric_name(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") ==
         std::string::npos;
}

/// "14-16", "17-", "-16", "15"; `read` gives nullopt for what is no version.
template <typename Read>
VersionRange parse_range(const YamlValue& value, Read read, const char* what, const char* example) {
  VersionRange out;
  const auto text = value.as_text();
  const auto dash = text.find('-');
  const auto number = [&](const std::string& version, int fallback) {
    if (version.empty()) return fallback;
    if (const std::optional<int> found = read(version)) return *found;
    throw value.error(fmt::format("\"{}\" is not a range of {}", text, what), example);
  };
  out.min = number(text.substr(0, dash), out.min);
  out.max = dash == std::string::npos ? out.min : number(text.substr(dash + 1), out.max);
  return out;
}

std::optional<int> read_major(const std::string& text) {
  int major = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), major);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return major;
}

std::optional<int> read_extension(const std::string& text) {
  const int version = parse_extension_version(text);
  return version == 0 ? std::nullopt : std::optional(version);
}

std::vector<VersionedSql> parse_sql(const YamlValue& value, bool has_extension) {
  if (value.is_scalar()) return {VersionedSql{.text = value.as_text()}};
  std::vector<VersionedSql> out;
  for (const auto& item : value.as_list()) {
    auto map = item.as_map();
    VersionedSql each;
    const auto server = map.find("versions");
    const auto extension = map.find("extension");
    if (server)
      each.server =
          parse_range(*server, read_major, "major versions", "For example 14-16, 17- or 15.");
    if (extension) {
      each.extension = parse_range(*extension, read_extension, "versions of an extension",
                                   "For example 1.9-1.10 or 1.11-.");
      if (!has_extension) throw extension->error("the probe names no extension");
    }
    if (!server && !extension)
      throw item.error("a list of SQL needs \"versions\" or \"extension\"");
    each.text = map.require("text").as_text();
    map.done();
    out.push_back(std::move(each));
  }
  return out;
}

Rest parse_rest(const YamlValue& value) {
  const auto word = value.as_choice({"sum", "max", "min", "none"});
  if (word == "sum") return Rest::sum;
  if (word == "max") return Rest::max;
  return word == "min" ? Rest::min : Rest::none;
}

/// Of a metric, or (with `number`) of a query.
SameLabels parse_same_labels(const YamlValue& value, bool number) {
  const auto word = number ? value.as_choice({"max", "min", "sum", "number"})
                           : value.as_choice({"max", "min", "sum"});
  if (word == "number") return SameLabels::number;
  if (word == "max") return SameLabels::max;
  return word == "min" ? SameLabels::min : SameLabels::sum;
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
  const auto type = map.require("type").as_choice({"gauge", "counter", "untyped", "histogram"});
  if (type == "counter") info->type = MetricType::counter;
  if (type == "untyped") info->type = MetricType::untyped;
  if (type == "histogram") info->type = MetricType::histogram;
  MetricColumn out{info, map.require("column").as_text()};
  if (const auto rest = map.find("rest")) out.rest = parse_rest(*rest);
  if (const auto rule = map.find("same_labels")) out.same_labels = parse_same_labels(*rule, false);
  if (const auto total = map.find("total")) {
    if (!is_metric_name(total->as_text()) || info->type != MetricType::counter) {
      throw total->error("a total needs a metric name, and a metric of type counter");
    }
    out.total = std::make_shared<const MetricInfo>(
        MetricInfo{total->as_text(), MetricType::counter,
                   info->help + " Sum over all, since the daemon started."});
  }
  map.done();
  return out;
}

std::string parse_parameter(const YamlValue& value) {
  return value.as_choice({"statements_max", "relations_max"});
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

BoundSpec parse_bound(YamlMap map, const QuerySpec& query) {
  BoundSpec out;
  const auto limit = map.require("limit");
  out.limit = is_number(limit.as_text()) ? std::to_string(limit.as_integer(1, kBoundMax))
                                         : parse_parameter(limit);
  out.by = map.require("by").as_texts();
  if (out.by.empty()) throw map.value().error("\"by\" names no column");
  if (const auto keep = map.find("keep")) {
    for (const auto& item : keep->as_list()) {
      out.keep.push_back(item.as_text());
      if (std::find(query.labels.begin(), query.labels.end(), out.keep.back()) ==
          query.labels.end()) {
        throw item.error(fmt::format("\"{}\" is not one of the labels", out.keep.back()));
      }
    }
  }
  if (const auto entries = map.find("entries")) out.entries = entries->as_texts();
  map.done();
  return out;
}

QuerySpec parse_query(const YamlValue& item, bool has_extension) {
  auto map = item.as_map();
  QuerySpec out;
  out.sql = parse_sql(map.require("sql"), has_extension);
  if (const auto names = map.find("parameters")) {
    for (const auto& name : names->as_list()) out.parameters.push_back(parse_parameter(name));
  }
  if (const auto labels = map.find("labels")) out.labels = labels->as_texts();
  if (const auto skipped = map.find("skipped")) out.skipped = skipped->as_text();
  if (const auto bound = map.find("bound")) out.bound = parse_bound(bound->as_map(), out);
  if (const auto rule = map.find("same_labels")) {
    out.same_labels = parse_same_labels(*rule, true);
    if (out.bound && out.same_labels == SameLabels::number) {
      throw rule->error("rows of a bounded query cannot be numbered", "Use max, min or sum.");
    }
  }
  for (const auto& metric : map.require("metrics").as_list()) {
    out.metrics.push_back(parse_metric(metric));
    if (out.bound && out.metrics.back().metric->type == MetricType::histogram) {
      throw metric.error("a histogram cannot be bounded");
    }
    const bool histogram = out.metrics.back().metric->type == MetricType::histogram;
    const auto rule = rule_of(out, out.metrics.size() - 1);
    if (histogram && rule != SameLabels::lost && rule != SameLabels::number) {
      throw metric.error("histograms with equal labels cannot be merged");
    }
    if (out.metrics.back().total && (!out.bound || out.bound->entries.empty())) {
      throw metric.error("a total needs a bound with entries");
    }
  }
  map.done();
  return out;
}

/// What the daemon tells by itself is nobody else's: its own metrics, and the probes that are code.
/// Throws where an operator's probe would tell such a series.
void refuse_reserved(const ProbeSpec& spec, const std::string& file,
                     const ReservedNames& reserved) {
  if (reserved.contains(spec.name)) {
    throw Error(ExitCode::usage, fmt::format("{}: two probes are called {}", file, spec.name),
                "Give yours another name.");
  }
  std::set<std::string> own;
  for (auto& info : own_metrics()) own.insert(info.name);
  for (const auto& query : spec.queries) {
    for (const auto& metric : query.metrics) {
      const auto& name = metric.metric->name;
      if (own.count(name) == 0 && name.rfind("pantryd_", 0) != 0) continue;
      throw Error(ExitCode::usage,
                  fmt::format("{}: the metric name {} is reserved for the daemon", file, name),
                  "Give it another name, which does not begin with pantryd_.");
    }
  }
}

/// Throws where two probes would tell the same series.
void refuse_overlaps(const std::vector<ProbeSpec>& specs) {
  std::set<std::string> names;
  std::map<std::string, std::string> owners;
  for (const auto& spec : specs) {
    if (!names.insert(spec.name).second) {
      throw Error(ExitCode::usage, fmt::format("two probes are called {}", spec.name),
                  "Give yours another name.");
    }
    for (const auto& query : spec.queries) {
      for (const auto& info : query.told()) {
        const auto [owner, fresh] = owners.emplace(info.name, spec.name);
        if (fresh || owner->second == spec.name) continue;
        throw Error(ExitCode::usage,
                    fmt::format("the probes {} and {} both export the metric {}", owner->second,
                                spec.name, info.name),
                    "A metric belongs to one probe: give yours another name.");
      }
    }
  }
}

void sort_by_name(std::vector<ProbeSpec>& specs) {
  std::sort(specs.begin(), specs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

}  // namespace

std::string_view to_string(CostClass cost) {
  switch (cost) {
    case CostClass::low:
      return "low";
    case CostClass::medium:
      return "medium";
    case CostClass::high:
      return "high";
  }
  return "high";
}

CostClass parse_cost(std::string_view word) {
  if (word == "low") return CostClass::low;
  return word == "medium" ? CostClass::medium : CostClass::high;
}

std::int32_t ProbeParameters::value(const std::string& name) const {
  if (name == "statements_max") return statements_max;
  if (name == "relations_max") return relations_max;
  if (is_number(name)) return std::stoi(name);
  throw std::out_of_range(name);
}

const VersionedSql* variant_for(const std::vector<VersionedSql>& variants, const TargetFacts& facts,
                                const std::string& needed) {
  const auto* extension = needed.empty() ? nullptr : facts.extension(needed);
  if (!needed.empty() && extension == nullptr) return nullptr;
  for (const auto& each : variants) {
    if (!each.server.contains(facts.major())) continue;
    if (extension == nullptr || each.extension.contains(extension->version)) return &each;
  }
  return nullptr;
}

std::optional<std::string> sql_for(const std::vector<VersionedSql>& variants,
                                   const TargetFacts& facts, const std::string& needed) {
  constexpr std::string_view kSchema = "@extschema@";
  const auto* variant = variant_for(variants, facts, needed);
  if (variant == nullptr) return std::nullopt;
  auto out = variant->text;
  const auto* extension = facts.extension(needed);
  for (auto at = out.find(kSchema); extension != nullptr && at != std::string::npos;
       at = out.find(kSchema, at + extension->schema.size())) {
    out.replace(at, kSchema.size(), extension->schema);
  }
  return out;
}

std::vector<MetricInfo> QuerySpec::told() const {
  std::vector<MetricInfo> out;
  for (const auto& each : metrics) out.push_back(*each.metric);
  for (const auto& each : metrics) {
    if (each.total) out.push_back(*each.total);
  }
  return out;
}

ProbeSpec parse_probe(const std::string& text, const std::string& source_name) {
  auto map = YamlValue::parse(text, source_name).as_map();
  ProbeSpec out;
  out.source = text;
  out.name = map.require("name").as_text();
  out.summary = map.require("summary").as_text();
  if (const auto value = map.find("interval")) out.interval = value->as_duration();
  if (const auto value = map.find("timeout")) out.timeout = value->as_duration();
  if (const auto value = map.find("cost")) {
    out.cost = parse_cost(value->as_choice({"low", "medium", "high"}));
  }
  if (const auto value = map.find("extension")) out.extension = value->as_text();
  if (const auto value = map.find("enabled")) out.enabled = value->as_boolean();
  if (const auto value = map.find("scope")) {
    out.scope =
        value->as_choice({"cluster", "database"}) == "database" ? Scope::database : Scope::cluster;
  }
  if (const auto value = map.find("relation")) out.relation = value->as_text();
  if (const auto value = map.find("columns")) {
    out.columns = value->as_texts();
    if (out.relation.find('.') == std::string::npos) {
      throw value->error("columns are of a relation that is named with its schema",
                         "For example relation: public.orders.");
    }
  }
  if (const auto value = map.find("function")) out.function = value->as_text();
  if (const auto value = map.find("rights")) out.rights = value->as_texts();
  if (const auto value = map.find("roles")) {
    out.on_primary = out.on_standby = false;
    for (const auto& role : value->as_list()) {
      (role.as_choice({"primary", "standby"}) == "primary" ? out.on_primary : out.on_standby) =
          true;
    }
  }
  std::set<std::string> names;
  for (const auto& query : map.require("queries").as_list()) {
    out.queries.push_back(parse_query(query, !out.extension.empty()));
    for (const auto& info : out.queries.back().told()) {
      if (!names.insert(info.name).second) {
        throw query.error(fmt::format("the metric {} appears twice", info.name));
      }
    }
  }
  map.done();
  return out;
}

std::vector<ProbeSpec> embedded_probes() {
  // They cannot change while the process runs.
  static const auto parsed = [] {
    std::vector<ProbeSpec> out;
    for (const auto& file : embedded::probes()) {
      out.push_back(parse_probe(std::string(file.content), std::string(file.name)));
    }
    sort_by_name(out);
    return out;
  }();
  return parsed;
}

void refuse_clashes(const ProbeSpec& spec, const std::string& source_name,
                    const ReservedNames& reserved) {
  refuse_reserved(spec, source_name, reserved);
  auto all = embedded_probes();
  all.push_back(spec);
  refuse_overlaps(all);
}

std::vector<ProbeSpec> all_probes(const std::filesystem::path& folder,
                                  const ReservedNames& reserved) {
  auto out = embedded_probes();
  if (folder.empty()) return out;
  std::error_code failure;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  if (failure) {
    throw Error(ExitCode::usage,
                fmt::format("cannot read the folder {}: {}", folder.string(), failure.message()),
                "Check probes.folder in the configuration.");
  }
  if (files.size() > kFilesMax) {
    throw Error(ExitCode::usage, fmt::format("{} holds {} probes, more than {}", folder.string(),
                                             files.size(), kFilesMax));
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    out.push_back(parse_probe(read_file(file, kFileLimitBytes), file.string()));
    refuse_reserved(out.back(), file.string(), reserved);
  }
  sort_by_name(out);
  refuse_overlaps(out);
  return out;
}

}  // namespace pantryd::probes
