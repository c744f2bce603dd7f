#include "serve/targets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "probes/backup/backup_probe.h"
#include "probes/engine/spec.h"
#include "serve/coded_probes.h"
#include "serve/migration_probe.h"

namespace pantryd {
namespace {

constexpr auto kBackupInterval = std::chrono::seconds(30);
constexpr auto kBackupTimeout = std::chrono::seconds(20);

using InfoByName = std::map<std::string, std::shared_ptr<const probes::MetricInfo>>;

InfoByName backup_infos() {
  InfoByName out;
  for (auto& info : backup_metrics()) {
    const auto name = info.name;
    out[name] = std::make_shared<const probes::MetricInfo>(std::move(info));
  }
  return out;
}

BackupSource source_of(const BackupSettings& settings) {
  BackupSource out;
  out.name = settings.name;
  out.kind = find_backup_kind(settings.kind.text);
  PANTRYD_ASSERT(out.kind != nullptr);  // check_names() has refused the others
  out.path = settings.path.string();
  out.age_limit_ms = settings.age_limit;
  return out;
}

/// The readers remember their last look, which tells a growing file from a broken one.
struct BackupReaders {
  std::vector<BackupProbe> readers;
  InfoByName infos = backup_infos();
};

probes::ProbeRun look_at_all(BackupReaders& all, Deadline deadline) {
  probes::ProbeRun run;
  for (auto& reader : all.readers) {
    const auto now = std::chrono::system_clock::now();
    const auto look = reader.look(deadline, now);
    run.rows += static_cast<std::int64_t>(look.records.size());
    for (auto& sample : backup_samples(reader.source(), look, now)) {
      const auto info = all.infos.find(sample.name);
      if (info == all.infos.end()) continue;
      run.samples.push_back({info->second, std::move(sample.labels), sample.value});
    }
  }
  return run;
}

}  // namespace

std::vector<probes::MetricInfo> backup_metrics() {
  using probes::MetricType;
  return {
      {"pantryd_backup_last_success_timestamp_seconds", MetricType::gauge,
       "Recovery point of the newest good backup, as Unix time."},
      {"pantryd_backup_age_seconds", MetricType::gauge,
       "Age of the recovery point of the newest good backup."},
      {"pantryd_backup_age_limit_seconds", MetricType::gauge, "How old it may be."},
      {"pantryd_backup_size_bytes", MetricType::gauge, "Size of the newest good backup."},
      {"pantryd_backup_count", MetricType::gauge, "Good backups in the folder."},
      {"pantryd_backup_newest_failed", MetricType::gauge,
       "1 when the newest attempt is partial, empty or damaged."},
      {"pantryd_backup_readable", MetricType::gauge,
       "0 when the folder of the backups could not be looked at."},
  };
}

probes::LocalProbe backup_probe(const std::vector<BackupSettings>& backups) {
  const auto readers = std::make_shared<BackupReaders>();
  for (const auto& backup : backups) readers->readers.emplace_back(source_of(backup));
  probes::LocalProbe out;
  out.name = "backup";
  out.interval = kBackupInterval;
  out.timeout = kBackupTimeout;
  out.run = [readers](Deadline deadline) { return look_at_all(*readers, deadline); };
  return out;
}

void check_names(const Settings& settings) {
  const auto kinds = backup_kind_names();
  for (const auto& target : settings.targets) {
    for (const auto& backup : target.backups) {
      require_known(backup.kind, "kind of backup", kinds,
                    fmt::format("The kinds of backups are {}.", fmt::join(kinds, ", ")));
    }
  }
}

std::shared_ptr<const std::vector<probes::ProbeSpec>> probe_specs(const Settings& settings) {
  check_names(settings);
  auto all = probes::all_probes(settings.probes.folder);
  const auto cost_max = probes::parse_cost(settings.probes.cost_max);
  const auto off = [&](const probes::ProbeSpec& spec) {
    const auto named = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), spec.name) != names.end();
    };
    const bool by_itself = spec.enabled && spec.cost <= cost_max;
    return named(settings.probes.disable) || (!by_itself && !named(settings.probes.enable));
  };
  all.erase(std::remove_if(all.begin(), all.end(), off), all.end());
  return std::make_shared<const std::vector<probes::ProbeSpec>>(std::move(all));
}

std::unique_ptr<probes::Watcher> make_watcher(
    const TargetSettings& target, const Settings& settings,
    std::shared_ptr<const std::vector<probes::ProbeSpec>> specs, probes::SnapshotStore& store,
    Keep keep, std::shared_ptr<const probes::TargetSnapshot> before) {
  probes::WatchOptions options;
  options.connect_timeout = settings.probes.connect_timeout;
  options.lock_timeout = settings.probes.lock_timeout;
  options.parameters.statements_max = settings.probes.statements_max;
  options.parameters.relations_max = settings.probes.relations_max;
  options.busy_share = settings.probes.busy_share;
  options.include = target.databases.include;
  options.exclude = target.databases.exclude;
  options.with_samples = keep == Keep::values;
  probes::WatchedTarget watched;
  watched.name = target.name;
  watched.before = std::move(before);
  watched.login = [target] { return target.login(); };
  watched.server_probes.push_back(migration_probe());
  add_coded_probes(target, settings.probes, *specs, store, watched);
  if (!target.backups.empty()) watched.local_probes.push_back(backup_probe(target.backups));
  return std::make_unique<probes::Watcher>(std::move(watched), std::move(specs), std::move(options),
                                           store);
}

std::vector<std::unique_ptr<probes::Watcher>> make_watchers(const Settings& settings,
                                                            probes::SnapshotStore& store,
                                                            Keep keep) {
  const auto specs = probe_specs(settings);
  std::vector<std::unique_ptr<probes::Watcher>> out;
  for (const auto& target : settings.targets) {
    out.push_back(make_watcher(target, settings, specs, store, keep));
  }
  return out;
}

}  // namespace pantryd
