// A run either tells all that its queries said, or nothing and why. A single column that is missing
// costs the metrics made of it, and the run says which.
#include "probes/engine/run.h"

#include <fmt/format.h>

#include "pg/sqlstate.h"
#include "probes/engine/series_maker.h"

namespace pantryd::probes {
namespace {

/// Above the time limit of any probe: what the server itself does when we are gone.
constexpr const char* kServerLimit = "60s";

pg::Params bind(const QuerySpec& query, const ProbeParameters& parameters) {
  pg::Params out;
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

pg::ConnectOptions guarded_session(std::chrono::milliseconds lock_timeout, const StopFlag* stop) {
  pg::ConnectOptions out;
  out.application_name = "pantryd";
  out.stop = stop;
  out.settings = {{"lock_timeout", fmt::format("{}ms", lock_timeout.count())},
                  {"statement_timeout", kServerLimit},
                  {"idle_in_transaction_session_timeout", "10s"},
                  {"default_transaction_read_only", "on"},
                  {"jit", "off"}};
  return out;
}

TargetFacts read_facts(pg::Connection& connection, Deadline deadline) {
  take_bytes_as_they_are(connection, deadline);
  TargetFacts out;
  out.server_version = connection.server_version();
  const auto result = connection.exec(
      "SELECT pg_is_in_recovery(), current_database(), 0, '' UNION ALL "
      "SELECT false, '', 1, extname FROM pg_extension UNION ALL "
      "SELECT false, '', 2, rolname FROM pg_roles WHERE rolname ~ '^pg_' "
      "AND pg_has_role(oid, 'USAGE') ORDER BY 3",
      deadline);
  for (int row = 0; row < result.rows(); ++row) {
    switch (result.i64(row, 2)) {
      case 0:
        out.is_standby = result.boolean(row, 0);
        out.database = result.text(row, 1);
        break;
      case 1:
        out.extensions.emplace(result.text(row, 3));
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
  if (!spec.extension.empty() && facts.extensions.count(spec.extension) == 0) return false;
  for (const auto& query : spec.queries) {
    if (query.for_major(facts.major()) != nullptr) return true;
  }
  return false;
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
    SeriesMaker maker(spec, facts, options, run);
    for (std::size_t i = 0; i < spec.queries.size(); ++i) {
      const auto& query = spec.queries[i];
      const auto* sql = query.for_major(facts.major());
      if (sql == nullptr) continue;
      maker.add(i, connection.exec_cached(sql->text, bind(query, options.parameters), deadline),
                memory.bounder(i));
    }
    maker.finish();
  } catch (const pg::PgError& error) {
    run.outcome = outcome_of(error);
    run.error = error.what();
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
