#include "probes/engine/run.h"

#include <fmt/format.h>

#include "pg/sqlstate.h"

namespace pantryd::probes {
namespace {

pg::Params bind(const QuerySpec& query, const ProbeParameters& parameters) {
  pg::Params out;
  for (const auto& name : query.parameters) {
    if (name == "statements_max") out.add(parameters.statements_max);
  }
  return out;
}

/// Label values must be UTF-8; a SQL_ASCII database may hold anything.
std::string utf8_or_escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    bool good = length > 0 && i + length <= text.size();
    for (std::size_t k = 1; good && k < length; ++k) {
      good = (static_cast<unsigned char>(text[i + k]) & 0xC0U) == 0x80U;
    }
    if (good) {
      out.append(text.substr(i, length));
      i += length;
    } else {
      out += fmt::format("\\x{:02x}", lead);
      ++i;
    }
  }
  return out;
}

void add_samples(const QuerySpec& query, const pg::Result& result, ProbeRun& run) {
  std::vector<int> label_columns;
  for (const auto& label : query.labels) {
    label_columns.push_back(result.column(label));
    if (label_columns.back() < 0) {
      throw Error(ExitCode::failed, fmt::format("the answer has no column {}", label));
    }
  }
  std::vector<int> value_columns;
  for (const auto& metric : query.metrics) {
    value_columns.push_back(result.column(metric.column));
    if (value_columns.back() < 0) {
      throw Error(ExitCode::failed, fmt::format("the answer has no column {}", metric.column));
    }
  }
  const int rows = std::min(result.rows(), kRowsMax);
  run.rows += result.rows();
  if (rows < result.rows()) run.error = fmt::format("only {} of {} rows", rows, result.rows());
  for (int row = 0; row < rows; ++row) {
    Labels labels;
    for (std::size_t i = 0; i < query.labels.size(); ++i) {
      labels.emplace_back(query.labels[i], utf8_or_escaped(result.text(row, label_columns[i])));
    }
    for (std::size_t i = 0; i < query.metrics.size(); ++i) {
      // NULL is "not known", which is never zero.
      if (const auto value = result.maybe_f64(row, value_columns[i])) {
        run.samples.push_back({query.metrics[i].metric, labels, *value});
      }
    }
  }
}

}  // namespace

TargetFacts read_facts(pg::Connection& connection, Deadline deadline) {
  TargetFacts out;
  out.server_version = connection.server_version();
  const auto result = connection.exec(
      "SELECT pg_is_in_recovery(), extname FROM pg_extension UNION ALL SELECT "
      "pg_is_in_recovery(), ''",
      deadline);
  for (int row = 0; row < result.rows(); ++row) {
    out.is_standby = result.boolean(row, 0);
    out.extensions.emplace(result.text(row, 1));
  }
  return out;
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

ProbeRun run_probe(pg::Connection& connection, const ProbeSpec& spec, const TargetFacts& facts,
                   const ProbeParameters& parameters) {
  ProbeRun run;
  if (!applies(spec, facts)) {
    run.outcome = Outcome::not_applicable;
    return run;
  }
  const auto began = SteadyClock::now();
  const auto deadline = Deadline::in(spec.timeout);
  try {
    for (const auto& query : spec.queries) {
      const auto* sql = query.for_major(facts.major());
      if (sql == nullptr) continue;
      add_samples(query, connection.exec(sql->text, bind(query, parameters), deadline), run);
    }
  } catch (const pg::PgError& error) {
    run.outcome = outcome_of(error);
    run.error = error.what();
    run.samples.clear();
  } catch (const Error& error) {
    run.outcome = Outcome::error;
    run.error = error.what();
    run.samples.clear();
  }
  run.duration = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
  return run;
}

}  // namespace pantryd::probes
