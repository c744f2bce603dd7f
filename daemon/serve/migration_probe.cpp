// Reports the state of the migrations as samples; it keeps nothing from run to run.
#include "serve/migration_probe.h"

#include <algorithm>
#include <optional>

#include "migrate/catalogue/drift.h"
#include "migrate/files/migration.h"
#include "migrate/run/session_lock.h"
#include "migrate/run/status.h"

namespace pantryd {
namespace {

using probes::MetricType;
using probes::Outcome;

/// The session that holds the runner's lock in this database, if there is one. NULL: this role may
/// not see what it does.
constexpr const char* kRunner =
    "SELECT extract(epoch FROM clock_timestamp() - a.query_start), "
    "CASE WHEN a.backend_type IS NOT NULL "
    "THEN (a.wait_event_type IS NOT DISTINCT FROM 'Lock')::int END "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.classid::bigint = ($1::bigint >> 32) AND l.objid::bigint = ($1::bigint & 4294967295) "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

void add_status(const std::vector<migrate::StatusRow>& rows, probes::SampleList& samples) {
  std::int64_t version = 0;
  std::int64_t pending = 0;
  std::int64_t misfits = 0;
  std::int64_t half_done = 0;
  const migrate::HistoryRow* last = nullptr;
  for (const auto& row : rows) {
    const bool edited = row.state == migrate::MigrationState::edited ||
                        row.state == migrate::MigrationState::missing_file ||
                        row.state == migrate::MigrationState::out_of_order;
    misfits += edited ? 1 : 0;
    pending += migrate::is_pending(row.state) ? 1 : 0;
    half_done += row.state == migrate::MigrationState::half_done ? 1 : 0;
    if (!row.history || row.history->state != "done") continue;
    version = std::max(version, row.version);
    if (last == nullptr || row.history->finished_at > last->finished_at) last = &*row.history;
  }
  samples.add("pantryd_migrations_version", static_cast<double>(version));
  samples.add("pantryd_migrations_pending", static_cast<double>(pending));
  samples.add("pantryd_migrations_half_done", static_cast<double>(half_done));
  samples.add("pantryd_migrations_misfit", static_cast<double>(misfits));
  if (last == nullptr) return;
  samples.add("pantryd_migrations_last_duration_seconds",
              static_cast<double>(last->duration_ms) / 1000);
  samples.add("pantryd_migrations_last_attempts", last->attempts);
}

void add_runner(pg::Connection& connection, Deadline deadline, probes::SampleList& samples) {
  const auto runner = connection.exec(kRunner, pg::Params::of(migrate::kLockKey), deadline);
  samples.add("pantryd_migrations_running", runner.empty() ? 0 : 1);
  const auto add_known = [&](const char* metric, int column) {
    const auto value = runner.empty() ? std::optional(0.0) : runner.maybe_f64(0, column);
    if (value) samples.add(metric, *value);
  };
  add_known("pantryd_migrations_statement_age_seconds", 0);
  add_known("pantryd_migrations_lock_waiting", 1);
}

void add_drift(const migrate::CatalogueDrift& drift, probes::SampleList& samples) {
  using State = migrate::CatalogueDrift::State;
  // Where it cannot be told there is no series: absence is not "no drift".
  if (drift.state != State::same && drift.state != State::drifted) return;
  samples.add("pantryd_catalogue_drift",
              static_cast<double>(drift.added.size() + drift.removed.size()));
}

}  // namespace

const probes::ProbeDescription& migration_description() {
  static const probes::ProbeDescription out{
      "migrations",
      "State of the schema; only where pantryd has migrated.",
      std::chrono::seconds(30),
      std::chrono::seconds(5),
      probes::CostClass::high,
      {
          {{"pantryd_migrations_version", MetricType::gauge,
            "Number of the newest applied migration."},
           {}},
          {{"pantryd_migrations_pending", MetricType::gauge,
            "Migrations in this binary that are not applied."},
           {}},
          {{"pantryd_migrations_half_done", MetricType::gauge,
            "Migrations without a transaction that stopped half-way; migrate up resumes them."},
           {}},
          {{"pantryd_migrations_misfit", MetricType::gauge,
            "Applied migrations whose file was edited or is missing, and pending ones out of "
            "order."},
           {}},
          {{"pantryd_migrations_last_duration_seconds", MetricType::gauge,
            "Duration of the migration that was applied last."},
           {}},
          {{"pantryd_migrations_last_attempts", MetricType::gauge,
            "Attempts of the migration that was applied last; more than 1 means that it waited for "
            "locks."},
           {}},
          {{"pantryd_migrations_running", MetricType::gauge, "1 while a runner holds its lock."},
           {}},
          {{"pantryd_migrations_statement_age_seconds", MetricType::gauge,
            "Age of the statement of the running migration; 0 if none runs."},
           {}},
          {{"pantryd_migrations_lock_waiting", MetricType::gauge,
            "1 while the runner waits for a lock."},
           {}},
          {{"pantryd_catalogue_drift", MetricType::gauge,
            "Objects that differ from those after the last migration: changes by hand. Absent if "
            "they cannot be compared."},
           {}},
      }};
  return out;
}

probes::ServerProbe migration_probe() {
  const auto run_once = [](pg::Connection& connection, const probes::TargetFacts&,
                           Deadline deadline) {
    probes::ProbeRun run;
    if (migrate::read_history(connection, deadline).empty()) {
      run.outcome = Outcome::not_applicable;
      return run;
    }
    probes::SampleList samples(migration_description());
    const auto files = migrate::embedded_migrations();
    const auto rows = migrate::status(connection, files, deadline);
    run.rows = static_cast<std::int64_t>(rows.size());
    add_status(rows, samples);
    add_runner(connection, deadline, samples);
    add_drift(migrate::compare_catalogue(connection, deadline), samples);
    run.samples = samples.take();
    return run;
  };
  return probes::server_probe(migration_description(), run_once);
}

}  // namespace pantryd
