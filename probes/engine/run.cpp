// A run either tells all that its queries said, or nothing and why. A single column that is missing
// costs the metrics made of it, and the run says which.
#include "probes/engine/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "pg/plain_table.h"
#include "pg/sqlstate.h"
#include "probes/engine/series_maker.h"

namespace pantryd::probes {
namespace {

/// Of a table that is read for a probe.
constexpr std::size_t kTableRowsMax = 1000;

pg::Params values_of(const QuerySpec& query, const std::optional<std::string>& table,
                     const ProbeParameters& parameters) {
  pg::Params out;
  if (table) out.add(*table);
  for (const auto& name : query.parameters) out.add(parameters.value(name));
  return out;
}

/// A SQL_ASCII database holds bytes of any kind, and refuses to hand out those that are not UTF-8
/// to a session that wants UTF-8: one such name would cost the whole probe. Taken as they are, the
/// page escapes them.
void take_bytes_as_they_are(pg::Connection& connection, Deadline deadline) {
  if (connection.reported("server_encoding") != "SQL_ASCII" ||
      connection.reported("client_encoding") == "SQL_ASCII") {
    return;
  }
  connection.exec("SET client_encoding = 'SQL_ASCII'", deadline);
}

/// Of a table, a function or operator, a type.
bool is_unknown_name(std::string_view code) {
  return code == pg::sqlstate::kUndefinedTable || code == "42883" || code == "42704";
}

/// The rows of the probe's relation, an array of objects.
std::string table_as_json(pg::Connection& connection, const ProbeSpec& spec, Deadline deadline) {
  const auto dot = spec.relation.find('.');
  const auto rows =
      pg::read_plain_table(connection, spec.relation.substr(0, dot), spec.relation.substr(dot + 1),
                           spec.columns, kTableRowsMax, deadline);
  auto out = nlohmann::json::array();
  for (const auto& row : rows.value_or(std::vector<pg::CopiedRow>())) {
    nlohmann::json each;
    for (std::size_t i = 0; i < row.size(); ++i) {
      each[spec.columns[i]] = row[i] ? nlohmann::json(*row[i]) : nlohmann::json();
    }
    out.push_back(std::move(each));
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// All are there, and this role may use them; nothing named is always there.
bool may_use(pg::Connection& connection, const ProbeSpec& spec, Deadline deadline) {
  if (spec.relation.empty() && spec.function.empty()) return true;
  const auto answer = connection.exec(
      "SELECT coalesce($1 = '' OR has_table_privilege(to_regclass(nullif($1, '')), 'SELECT'), "
      "false) AND NOT EXISTS (SELECT FROM string_to_table(nullif($2, ''), ' ') f WHERE "
      "has_function_privilege(to_regprocedure(f), 'EXECUTE') IS NOT TRUE)",
      pg::Params::of(spec.relation, spec.function), deadline);
  return answer.boolean(0, 0);
}

}  // namespace

int parse_extension_version(std::string_view text) {
  const auto dot = text.find('.');
  int major = 0;
  int minor = 0;
  const auto read = [](std::string_view digits, int& out) {
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return failure == std::errc{} && end == digits.data() + digits.size() && out < 1000;
  };
  if (!read(text.substr(0, dot), major)) return 0;
  if (dot != std::string_view::npos && !read(text.substr(dot + 1), minor)) return 0;
  return major * 1000 + minor;
}

pg::ConnectOptions guarded_session(std::chrono::milliseconds lock_timeout, const StopFlag* stop) {
  auto out = pg::watching_session("pantryd", lock_timeout, stop);
  out.settings.emplace_back("jit", "off");
  return out;
}

TargetFacts read_facts(pg::Connection& connection, Deadline deadline) {
  take_bytes_as_they_are(connection, deadline);
  TargetFacts out;
  out.server_version = connection.server_version();
  const auto result = connection.exec(
      "SELECT pg_is_in_recovery(), current_database(), 0, '', '', '' UNION ALL "
      "SELECT false, '', 1, extname, quote_ident(n.nspname), extversion FROM pg_extension e "
      "JOIN pg_namespace n ON n.oid = e.extnamespace UNION ALL "
      "SELECT false, '', 2, rolname, '', '' FROM pg_roles WHERE rolname ~ '^pg_' "
      "AND pg_has_role(oid, 'USAGE') ORDER BY 3",
      deadline);
  for (int row = 0; row < result.rows(); ++row) {
    switch (result.i64(row, 2)) {
      case 0:
        out.is_standby = result.boolean(row, 0);
        out.database = result.text(row, 1);
        break;
      case 1:
        out.extensions[std::string(result.text(row, 3))] = {
            std::string(result.text(row, 4)), parse_extension_version(result.text(row, 5))};
        break;
      default:
        out.rights.emplace(result.text(row, 3));
        break;
    }
  }
  return out;
}

ProbeMemory::ProbeMemory(const ProbeSpec& spec) {
  for (const auto& query : spec.queries) {
    bounders_.push_back(query.bound ? std::make_unique<Bounder>(query) : nullptr);
  }
}

Outcome outcome_of(const pg::PgError& error) {
  if (error.failure() == pg::Failure::timeout) return Outcome::timeout;
  if (error.sqlstate() == pg::sqlstate::kLockNotAvailable) return Outcome::lock_skipped;
  if (error.sqlstate() == pg::sqlstate::kQueryCanceled) return Outcome::timeout;
  return Outcome::error;
}

bool applies(const ProbeSpec& spec, const TargetFacts& facts) {
  if (!(facts.is_standby ? spec.on_standby : spec.on_primary)) return false;
  return std::any_of(spec.queries.begin(), spec.queries.end(), [&](const QuerySpec& query) {
    return variant_for(query.sql, facts, spec.extension) != nullptr;
  });
}

std::vector<std::string> missing_rights(const ProbeSpec& spec, const TargetFacts& facts) {
  for (const auto& right : spec.rights) {
    if (facts.rights.count(right) > 0) return {};
  }
  return spec.rights;
}

ProbeRun run_probe(pg::Connection& connection, const ProbeSpec& spec, const TargetFacts& facts,
                   const RunOptions& options, ProbeMemory& memory) {
  ProbeRun run;
  if (!applies(spec, facts)) {
    run.outcome = Outcome::not_applicable;
    return run;
  }
  const auto began = SteadyClock::now();
  const auto deadline = Deadline::in(spec.timeout);
  try {
    take_bytes_as_they_are(connection, deadline);
    if (!may_use(connection, spec, deadline)) {
      run.outcome = Outcome::not_applicable;
      return run;
    }
    std::optional<std::string> table;
    if (!spec.columns.empty()) table = table_as_json(connection, spec, deadline);
    SeriesMaker maker(spec, facts, options, run);
    for (std::size_t i = 0; i < spec.queries.size(); ++i) {
      const auto& query = spec.queries[i];
      const auto sql = sql_for(query.sql, facts, spec.extension);
      if (!sql) continue;
      const auto parameters = values_of(query, table, options.parameters);
      maker.add(i, connection.exec_cached(*sql, parameters, deadline), memory.bounder(i));
    }
    maker.finish();
  } catch (const pg::PgError& error) {
    run.outcome = outcome_of(error);
    run.error = error.what();
    if (is_unknown_name(error.sqlstate())) {
      run.error += "; a probe names the schema of what is not in pg_catalog";
    }
  } catch (const Error& error) {
    run.outcome = Outcome::error;
    run.error = error.what();
  }
  if (run.outcome != Outcome::ok) {
    run.samples.clear();
    run.families.clear();
  }
  run.duration = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
  return run;
}

}  // namespace pantryd::probes
