// The one list of probes: what enable, disable and cost_max do to each kind of probe.
#include "serve/probe_list.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "serve/targets.h"

namespace pantryd {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;

/// A target that has what every probe looks at.
Settings settings_with(const std::string& probes = "{}") {
  return Settings::parse("probes: " + probes +
                             "\ntargets:\n  - name: main\n    dsn: host=h\n"
                             "    pgbouncer: {dsn: host=p}\n"
                             "    backups: [{name: b, kind: base, path: /b}]\n",
                         "p.yaml");
}

/// What a watcher of the target would run.
std::vector<std::string> running(const Settings& settings) {
  const auto list = probe_list(settings);
  const probes::SnapshotStore store;
  probes::WatchedTarget watched;
  list.add_coded(settings.targets.front(), store, watched);
  std::vector<std::string> out;
  for (const auto& spec : *list.specs()) out.push_back(spec.name);
  for (const auto& probe : watched.server_probes) out.push_back(probe.name);
  for (const auto& probe : watched.local_probes) out.push_back(probe.name);
  return out;
}

TEST(ProbeListTest, SqlAndCodedProbesRunByDefault) {
  EXPECT_THAT(running(settings_with()),
              IsSupersetOf({"up", "user_tables", "backup", "migrations", "exhaustion", "cost",
                            "certificate", "pgbouncer"}));
  EXPECT_THAT(running(settings_with()), Not(Contains("statement_texts")));
}

// The probes "backup" and "migrations" once ran although the configuration disabled them.
TEST(ProbeListTest, EveryProbeCanBeDisabledAndEnabled) {
  const ProbeList list{ProbeSettings{}};
  for (const auto& row : list.rows()) {
    const auto& name = row.description.name;
    EXPECT_THAT(running(settings_with("{enable: [" + name + "]}")), Contains(name));
    EXPECT_THAT(running(settings_with("{disable: [" + name + "]}")), Not(Contains(name)));
    EXPECT_THAT(running(settings_with("{enable: [" + name + "], disable: [" + name + "]}")),
                Not(Contains(name)));
  }
}

TEST(ProbeListTest, EveryProbeObeysTheCostLimit) {
  const auto low = running(settings_with("{cost_max: low}"));
  const ProbeList list{ProbeSettings{}};
  for (const auto& row : list.rows()) {
    if (!row.runs) continue;
    const bool cheap = row.description.cost == probes::CostClass::low;
    EXPECT_EQ(std::count(low.begin(), low.end(), row.description.name), cheap ? 1 : 0)
        << row.description.name;
  }
}

TEST(ProbeListTest, AKeyOfItsOwnEnablesStatementTexts) {
  EXPECT_THAT(running(settings_with("{statement_texts: true}")), Contains("statement_texts"));
  EXPECT_THAT(running(settings_with("{statement_texts: true, disable: [statement_texts]}")),
              Not(Contains("statement_texts")));
}

TEST(ProbeListTest, AProbeOfWhatATargetDoesNotHaveIsNotMade) {
  const auto bare = Settings::parse("targets: [{name: main, dsn: host=h}]\n", "p.yaml");
  EXPECT_THAT(running(bare), Not(Contains("backup")));
  EXPECT_THAT(running(bare), Not(Contains("pgbouncer")));
  EXPECT_THAT(running(bare), Contains("migrations"));
}

}  // namespace
}  // namespace pantryd
