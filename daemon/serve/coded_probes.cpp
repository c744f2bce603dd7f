// The table of coded probes: how each one is made for a target.
#include "serve/coded_probes.h"

#include <array>

#include "base/assert.h"
#include "probes/backup/backup_probe.h"
#include "probes/exhaustion/exhaustion_probe.h"
#include "probes/pooler/pgbouncer.h"
#include "probes/posture/certificate.h"
#include "probes/statements/own_cost.h"
#include "probes/statements/statement_texts.h"
#include "serve/migration_probe.h"

namespace pantryd {
namespace {

void add_own_cost(const ProbeContext& context, probes::WatchedTarget& watched) {
  watched.server_probes.push_back(
      probes::own_cost_probe(probes::own_statements(context.specs, coded_probes())));
}

void add_exhaustion(const ProbeContext& context, probes::WatchedTarget& watched) {
  probes::ExhaustionOptions options;
  options.data_disk = context.target.disks.data;
  options.wal_disk = context.target.disks.wal;
  watched.server_probes.push_back(probes::exhaustion_probe(std::move(options)));
}

void add_pgbouncer(const ProbeContext& context, probes::WatchedTarget& watched) {
  if (!context.target.pgbouncer) return;
  watched.local_probes.push_back(
      probes::pgbouncer_probe([pooler = *context.target.pgbouncer] { return pooler.login(); }));
}

void add_statement_texts(const ProbeContext& context, probes::WatchedTarget& watched) {
  probes::StatementTextsOptions options;
  options.statements_max = context.settings.statements_max;
  options.chosen = [target = context.target.name, &store = context.store] {
    const auto snapshot = store.find(target);
    return snapshot ? probes::told_statements(*snapshot) : std::vector<std::string>{};
  };
  watched.server_probes.push_back(probes::statement_texts_probe(std::move(options)));
}

void add_certificate(const ProbeContext&, probes::WatchedTarget& watched) {
  watched.server_probes.push_back(probes::certificate_probe());
}

void add_migrations(const ProbeContext&, probes::WatchedTarget& watched) {
  watched.server_probes.push_back(migration_probe());
}

void add_backup(const ProbeContext& context, probes::WatchedTarget& watched) {
  if (context.target.backups.empty()) return;
  std::vector<BackupSource> sources;
  for (const auto& backup : context.target.backups) {
    BackupSource source;
    source.name = backup.name;
    source.kind = find_backup_kind(backup.kind.text);
    PANTRYD_ASSERT(source.kind != nullptr);  // probe_list() has refused the others
    source.path = backup.path.string();
    source.age_limit_ms = backup.age_limit;
    sources.push_back(std::move(source));
  }
  watched.local_probes.push_back(backup_probe(std::move(sources)));
}

}  // namespace

std::span<const CodedProbe> coded_probe_table() {
  static constexpr std::array kTable{
      CodedProbe{probes::own_cost_description, add_own_cost},
      CodedProbe{probes::exhaustion_description, add_exhaustion},
      CodedProbe{probes::pgbouncer_description, add_pgbouncer},
      CodedProbe{probes::statement_texts_description, add_statement_texts,
                 [](const ProbeSettings& settings) { return settings.statement_texts; }},
      CodedProbe{probes::certificate_description, add_certificate},
      CodedProbe{migration_description, add_migrations},
      CodedProbe{backup_description, add_backup},
  };
  return kTable;
}

std::vector<probes::ProbeDescription> coded_probes() {
  std::vector<probes::ProbeDescription> out;
  for (const auto& probe : coded_probe_table()) out.push_back(probe.description());
  return out;
}

}  // namespace pantryd
