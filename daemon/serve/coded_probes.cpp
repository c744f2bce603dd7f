#include "serve/coded_probes.h"

#include <algorithm>

#include "probes/exhaustion/exhaustion_probe.h"
#include "probes/pooler/pgbouncer.h"
#include "probes/posture/certificate.h"
#include "probes/statements/own_cost.h"
#include "probes/statements/statement_texts.h"

namespace pantryd {
namespace {

probes::ServerProbe texts_of(const std::string& target, const ProbeSettings& settings,
                             const probes::SnapshotStore& store) {
  probes::StatementTextsOptions options;
  options.statements_max = settings.statements_max;
  options.chosen = [target, &store] {
    for (const auto& snapshot : store.all()) {
      if (snapshot->target == target) return probes::told_statements(*snapshot);
    }
    return std::vector<std::string>{};
  };
  return probes::statement_texts_probe(std::move(options));
}

}  // namespace

std::vector<probes::CodedDescription> coded_probes() {
  return {probes::own_cost_description(), probes::exhaustion_description(),
          probes::pgbouncer_description(), probes::statement_texts_description(),
          probes::certificate_description()};
}

void add_coded_probes(const TargetSettings& target, const ProbeSettings& settings,
                      const std::vector<probes::ProbeSpec>& specs,
                      const probes::SnapshotStore& store, probes::WatchedTarget& watched) {
  const auto wanted = [&](const std::string& name) {
    const auto& off = settings.disable;
    return std::find(off.begin(), off.end(), name) == off.end();
  };
  const auto add = [&](probes::ServerProbe probe) {
    if (wanted(probe.name)) watched.server_probes.push_back(std::move(probe));
  };
  add(probes::certificate_probe());
  probes::ExhaustionOptions exhaustion;
  exhaustion.data_disk = target.disks.data;
  exhaustion.wal_disk = target.disks.wal;
  add(probes::exhaustion_probe(std::move(exhaustion)));
  if (target.pgbouncer && wanted(probes::pgbouncer_description().name)) {
    watched.local_probes.push_back(
        probes::pgbouncer_probe([pooler = *target.pgbouncer] { return pooler.login(); }));
  }
  add(probes::own_cost_probe(probes::own_statements(specs, coded_probes())));
  if (settings.statement_texts) add(texts_of(target.name, settings, store));
}

}  // namespace pantryd
