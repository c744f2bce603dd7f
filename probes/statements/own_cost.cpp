// Invariant: probe_of holds identifiers that `resolved_for` computed, and no others; sums never
// fall.
#include "probes/statements/own_cost.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "probes/engine/growth.h"

namespace pantryd::probes {
namespace {

/// Identifiers hold the oids of functions of extensions, which may be made anew.
constexpr auto kResolveAgain = std::chrono::hours(6);

/// {0}: when the entry began.
constexpr const char* kCosts = R"(
WITH s AS MATERIALIZED (
  SELECT p.userid, p.dbid, p.queryid, {0} AS since, p.total_exec_time + p.total_plan_time AS ms,
         p.shared_blks_hit + p.shared_blks_read + p.local_blks_hit + p.local_blks_read AS blocks,
         p.temp_blks_read + p.temp_blks_written AS temp_blocks
  FROM @extschema@.pg_stat_statements(false) p, @extschema@.pg_stat_statements_info i
  WHERE p.toplevel)
SELECT dbid || ' ' || queryid || ' ' || since, queryid::text, ms / 1000, blocks, temp_blocks,
       (SELECT sum(ms) FROM s) / 1000
FROM s
WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND queryid IS NOT NULL)";

constexpr const char* kExtension = "pg_stat_statements";

/// From 1.9 on, which tells top-level statements, and when all entries began.
const std::vector<VersionedSql>& costs() {
  static const std::vector<VersionedSql> out{
      {{}, {1009, 1010}, fmt::format(kCosts, "i.stats_reset")},
      {{}, {.min = 1011}, fmt::format(kCosts, "p.stats_since")}};
  return out;
}

struct Cost {
  std::array<double, 3> values{};  ///< seconds, blocks, blocks of temporary files
};

struct CostMemory {
  std::vector<OwnStatement> statements;
  std::map<std::string, std::string> probe_of;  ///< by identifier
  std::string resolved_for;
  SteadyClock::time_point resolved_at;
  Growth growth;
  std::map<std::string, Cost> by_probe;
  Cost total;
};

std::string explain(pg::Connection& connection, const std::string& sql, std::size_t parameters,
                    Deadline deadline) {
  pg::Params nothing;
  for (std::size_t i = 0; i < parameters; ++i) nothing.add(std::nullopt);
  try {
    const auto plan = connection.exec("EXPLAIN (VERBOSE, FORMAT JSON) " + sql, nothing, deadline);
    return plan.empty() ? "" : query_identifier(std::string(plan.text(0, 0)));
  } catch (const pg::PgError& error) {
    // Not for this role, or its extension is not here: the probe itself tells it better.
    if (error.failure() != pg::Failure::statement) throw;
    return "";
  }
}

void resolve(CostMemory& memory, pg::Connection& connection, const TargetFacts& facts,
             Deadline deadline) {
  auto key = fmt::format("{} {}", facts.server_version, facts.database);
  for (const auto& [name, extension] : facts.extensions) {
    key += fmt::format(" {} {} {}", name, extension.schema, extension.version);
  }
  const auto now = SteadyClock::now();
  if (key == memory.resolved_for && now - memory.resolved_at < kResolveAgain) return;
  std::map<std::string, std::string> found;
  for (const auto& statement : memory.statements) {
    const auto sql = sql_for({statement.sql}, facts, statement.extension);
    if (!sql) continue;
    const auto id = explain(connection, *sql, statement.parameters, deadline);
    if (!id.empty()) found.emplace(id, statement.probe);
  }
  memory.probe_of = std::move(found);
  memory.resolved_for = key;
  memory.resolved_at = now;
}

void add(Cost& cost, const std::vector<double>& grown) {
  for (std::size_t i = 0; i < cost.values.size(); ++i) cost.values[i] += grown[i];
}

ProbeRun look(CostMemory& memory, pg::Connection& connection, const TargetFacts& facts,
              Deadline deadline) {
  ProbeRun run;
  const auto sql = sql_for(costs(), facts, kExtension);
  if (!sql || facts.major() < 14) {
    run.outcome = Outcome::not_applicable;
    return run;
  }
  resolve(memory, connection, facts, deadline);
  const auto rows = connection.exec_cached(*sql, deadline);
  const bool first = memory.growth.first_look();
  double own_seconds = 0;
  double all_seconds = 0;
  for (const auto& [id, probe] : memory.probe_of) memory.by_probe[probe];
  for (int row = 0; row < rows.rows(); ++row) {
    const std::vector<double> values{rows.f64(row, 2), rows.f64(row, 3), rows.f64(row, 4)};
    own_seconds += values[0];
    all_seconds = rows.f64(row, 5);
    const auto grown = memory.growth.grown(std::string(rows.text(row, 0)), values);
    if (first) continue;
    add(memory.total, grown);
    const auto probe = memory.probe_of.find(std::string(rows.text(row, 1)));
    if (probe != memory.probe_of.end()) add(memory.by_probe[probe->second], grown);
  }
  memory.growth.end_look();
  SampleList samples(own_cost_description());
  for (const auto& [probe, cost] : memory.by_probe) {
    samples.add("pantryd_probe_server_seconds_total", {probe}, cost.values[0]);
    samples.add("pantryd_probe_server_blocks_total", {probe}, cost.values[1]);
    samples.add("pantryd_probe_server_temp_blocks_total", {probe}, cost.values[2]);
  }
  samples.add("pantryd_own_server_seconds_total", memory.total.values[0]);
  samples.add("pantryd_own_server_blocks_total", memory.total.values[1]);
  samples.add("pantryd_own_server_temp_blocks_total", memory.total.values[2]);
  if (all_seconds > 0) samples.add("pantryd_own_server_time_ratio", own_seconds / all_seconds);
  run.rows = rows.rows();
  run.samples = samples.take();
  return run;
}

}  // namespace

const ProbeDescription& own_cost_description() {
  constexpr auto counter = MetricType::counter;
  static const ProbeDescription out{
      "cost",
      "What the probes cost the server, from pg_stat_statements: entries of our role, assigned to "
      "probes by query identifier; top-level statements only. The counters start at zero when the "
      "daemon starts.",
      std::chrono::seconds(60),
      std::chrono::seconds(5),
      CostClass::medium,
      {{{"pantryd_probe_server_seconds_total", counter, "Time that the server spent on the probe."},
        {"probe"}},
       {{"pantryd_probe_server_blocks_total", counter,
         "Blocks that the probe's statements found in buffers or read."},
        {"probe"}},
       {{"pantryd_probe_server_temp_blocks_total", counter,
         "Blocks of temporary files that the probe's statements read or wrote."},
        {"probe"}},
       {{"pantryd_own_server_seconds_total", counter,
         "Time that the server spent on all statements of our role."},
        {}},
       {{"pantryd_own_server_blocks_total", counter,
         "Blocks that all statements of our role found in buffers or read."},
        {}},
       {{"pantryd_own_server_temp_blocks_total", counter,
         "Blocks of temporary files that all statements of our role read or wrote."},
        {}},
       {{"pantryd_own_server_time_ratio", MetricType::gauge,
         "Share of our role in the time of all entries that pg_stat_statements holds, 0 to 1."},
        {}}},
      {{costs()[0]}, {costs()[1]}},
      true,
      true,
      true,
      kExtension};
  return out;
}

std::vector<OwnStatement> own_statements(const std::vector<ProbeSpec>& specs,
                                         const std::vector<ProbeDescription>& coded) {
  std::vector<OwnStatement> out;
  for (const auto& spec : specs) {
    for (const auto& query : spec.queries) {
      const auto parameters = query.parameters.size() + (spec.columns.empty() ? 0 : 1);
      for (const auto& sql : query.sql) {
        out.push_back({spec.name, spec.extension, sql, parameters});
      }
    }
  }
  for (const auto& probe : coded) {
    for (const auto& [sql, parameters] : probe.statements) {
      out.push_back({probe.name, probe.extension, sql, parameters});
    }
  }
  return out;
}

std::string query_identifier(const std::string& plan_json) {
  const auto plan = nlohmann::json::parse(plan_json, nullptr, false);
  if (!plan.is_array() || plan.empty() || !plan[0].is_object()) return "";
  const auto id = plan[0].find("Query Identifier");
  if (id == plan[0].end() || !id->is_number_integer()) return "";
  return std::to_string(id->get<std::int64_t>());
}

ServerProbe own_cost_probe(std::vector<OwnStatement> statements) {
  const auto& description = own_cost_description();
  const auto memory = std::make_shared<CostMemory>();
  memory->statements = std::move(statements);
  return server_probe(description, [memory](pg::Connection& connection, const TargetFacts& facts,
                                            Deadline deadline) {
    return look(*memory, connection, facts, deadline);
  });
}

}  // namespace pantryd::probes
