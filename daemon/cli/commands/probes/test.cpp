// The probes test command: runs a probe file as the daemon would, in the same session and within
// the same limits. Each query runs alone, so that one that fails does not hide the others.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/command.h"
#include "probes/engine/run.h"
#include "probes/engine/spec.h"
#include "serve/probe_list.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

constexpr std::size_t kFileLimitBytes = 1U << 20U;
constexpr double kLinesMax = 100'000;

struct Tried {
  probes::ProbeRun run;
  std::string versions;  ///< majors that the SQL which ran is for; empty: all
  std::int64_t series = 0;
  std::vector<std::string> missing;  ///< metrics whose column was not in the answer
};

/// Why the probe, or one query of it, does not apply to this server.
std::string why_not(const probes::ProbeSpec& spec, const probes::TargetFacts& facts) {
  if (!(facts.is_standby ? spec.on_standby : spec.on_primary)) {
    return fmt::format("it is not for a {}", facts.is_standby ? "standby" : "primary");
  }
  if (!spec.extension.empty() && facts.extension(spec.extension) == nullptr) {
    return fmt::format("the database {} has no extension {}", facts.database, spec.extension);
  }
  if (!probes::applies(spec, facts)) {
    if (spec.extension.empty()) {
      return fmt::format("it has no SQL for PostgreSQL {}", facts.major());
    }
    return fmt::format(
        "it has no SQL for PostgreSQL {} and this version of {}; ALTER EXTENSION {} UPDATE makes "
        "it current",
        facts.major(), spec.extension, spec.extension);
  }
  return fmt::format("there is no relation {}, or this role may not read it", spec.relation);
}

std::string versions_of(const probes::VersionedSql* sql) {
  if (sql == nullptr) return "";
  const auto [min, max] = sql->server;
  if (min == max) return std::to_string(min);
  if (min == 0 && max == probes::VersionRange::kEnd) return "";
  return fmt::format("{}-{}", min == 0 ? "" : std::to_string(min),
                     max == probes::VersionRange::kEnd ? "" : std::to_string(max));
}

Tried try_query(pg::Connection& connection, const probes::ProbeSpec& spec, std::size_t at,
                const probes::TargetFacts& facts, const probes::RunOptions& options) {
  auto alone = spec;
  alone.queries = {spec.queries[at]};
  probes::ProbeMemory memory(alone);
  Tried out;
  out.run = probes::run_probe(connection, alone, facts, options, memory);
  out.versions = versions_of(probes::variant_for(spec.queries[at].sql, facts, spec.extension));
  for (const auto& family : out.run.families) out.series += family.series;
  if (out.run.outcome != probes::Outcome::ok || out.run.rows == 0) return out;
  for (const auto& metric : spec.queries[at].metrics) {
    const bool has_series =
        std::any_of(out.run.families.begin(), out.run.families.end(),
                    [&](const auto& family) { return family.metric->name == metric.metric->name; });
    if (!has_series) out.missing.push_back(metric.metric->name);
  }
  return out;
}

std::vector<std::string> first_lines(const probes::ProbeRun& run, std::size_t lines_max) {
  std::vector<std::string> out;
  for (const auto& family : run.families) {
    for (std::size_t at = 0; at < family.lines.size() && out.size() < lines_max;) {
      const auto end = family.lines.find('\n', at);
      out.push_back(family.lines.substr(at, end - at));
      at = end + 1;
    }
  }
  return out;
}

double ms(std::chrono::microseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

void print_tried(const Tried& tried, std::size_t number, std::size_t lines_max) {
  const auto& run = tried.run;
  fmt::print("query {}{}: {}, {:.1f} ms, {} rows, {} series", number,
             tried.versions.empty() ? "" : " (PostgreSQL " + tried.versions + ")",
             probes::to_string(run.outcome), ms(run.duration), run.rows, tried.series);
  if (run.skipped > 0) fmt::print(", {} relations skipped for their locks", run.skipped);
  fmt::print("\n");
  if (!run.error.empty()) fmt::print("  {}\n", run.error);
  for (const auto& metric : tried.missing) {
    fmt::print("  no series of {}: its column is missing, or NULL in each row\n", metric);
  }
  const auto lines = first_lines(run, lines_max);
  for (const auto& line : lines) fmt::print("  {}\n", line);
  if (tried.series > static_cast<std::int64_t>(lines.size()) && !lines.empty()) {
    fmt::print("  ... and more; --lines N prints more\n");
  }
}

nlohmann::json json_of(const Tried& tried, std::size_t lines_max) {
  return {{"outcome", probes::to_string(tried.run.outcome)},
          {"error", tried.run.error},
          {"versions", tried.versions},
          {"duration_ms", ms(tried.run.duration)},
          {"rows", tried.run.rows},
          {"series", tried.series},
          {"skipped_relations", tried.run.skipped},
          {"metrics_without_series", tried.missing},
          {"text", first_lines(tried.run, lines_max)}};
}

probes::ProbeSpec read_probe(const std::string& file) {
  const auto spec = probes::parse_probe(read_file(file, kFileLimitBytes), file);
  const auto built_in = probes::embedded_probes();
  const bool ours = std::any_of(built_in.begin(), built_in.end(),
                                [&](const auto& each) { return each.source == spec.source; });
  // One of the binary's own may be tried; the daemon refuses it in an operator's folder.
  if (!ours) probes::refuse_clashes(spec, file, coded_probe_names());
  return spec;
}

void print_why_not(probes::ProbeSpec spec, std::size_t at, const probes::TargetFacts& facts) {
  spec.queries = {spec.queries[at]};
  fmt::print("query {}: not_applicable: {}\n", at + 1, why_not(spec, facts));
}

void print_end(bool as_json, const probes::ProbeSpec& spec, const probes::TargetFacts& facts,
               const nlohmann::json& queries) {
  const auto rights = probes::missing_rights(spec, facts);
  if (!as_json) {
    for (const auto& right : rights) {
      fmt::print("this role is not a member of {}: it may see less\n", right);
    }
    return;
  }
  const nlohmann::json json{{"format", "pantryd.probe_test"},
                            {"version", 1},
                            {"probe", spec.name},
                            {"server_version", facts.server_version},
                            {"standby", facts.is_standby},
                            {"missing_rights", rights},
                            {"queries", queries}};
  fmt::print("{}\n", json.dump(2));
}

int run_probes_test(const Context& context, const Values& values) {
  const auto lines_max = static_cast<std::size_t>(values.count("lines"));
  const auto spec = read_probe(values.text("file"));
  const auto settings = load_settings(context);
  const auto target = target_settings(context);
  auto connection =
      pg::Connection::connect(target.login(), Deadline::in(settings.probes.connect_timeout),
                              probes::guarded_session(settings.probes.lock_timeout, context.stop));
  const auto facts = probes::read_facts(connection, Deadline::in(std::chrono::seconds(5)));
  probes::RunOptions run_options;
  run_options.target = target.name;
  run_options.parameters.statements_max = settings.probes.statements_max;
  run_options.parameters.relations_max = settings.probes.relations_max;

  bool good = true;
  nlohmann::json queries = nlohmann::json::array();
  if (!context.json) {
    fmt::print("probe {} on PostgreSQL {}, {}, database {}; every {}, for at most {}\n", spec.name,
               facts.major(), facts.is_standby ? "standby" : "primary", facts.database,
               format_duration(spec.interval), format_duration(spec.timeout));
  }
  for (std::size_t i = 0; i < spec.queries.size() && !context.stop->requested(); ++i) {
    const auto tried = try_query(connection, spec, i, facts, run_options);
    const bool applies = tried.run.outcome != probes::Outcome::not_applicable;
    good =
        good && (!applies || (tried.run.outcome == probes::Outcome::ok && tried.run.error.empty()));
    queries.push_back(json_of(tried, lines_max));
    if (context.json) continue;
    applies ? print_tried(tried, i + 1, lines_max) : print_why_not(spec, i, facts);
  }
  print_end(context.json, spec, facts, queries);
  return static_cast<int>(good ? ExitCode::ok : ExitCode::failed);
}

}  // namespace

Command probes_test_command() {
  return {
      .name = "probes test",
      .summary = "run a probe file on a server, with the daemon's limits",
      .usage = "FILE [--lines N] [--dsn CONNINFO]",
      .options = {required(argument("file", "FILE", "the probe")),
                  count("lines", "N", "10", {0, kLinesMax},
                        "lines of the page to print for each query")},
      .examples = {"pantryd probes test my_probe.yaml --dsn postgresql://127.0.0.1/shop"},
      .exits = {{0, "every query that applies here works"}, {1, "a query failed"}, kUnreachable},
      .run = run_probes_test};
}

}  // namespace pantryd::cli
