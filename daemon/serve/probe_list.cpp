// Invariants: rows_ has every probe once; specs_ holds the SQL probes whose row runs, and no
// others.
#include "serve/probe_list.h"

#include <algorithm>

#include "base/assert.h"

namespace pantryd {
namespace {

bool runs(const probes::ProbeDescription& probe, const ProbeSettings& settings,
          bool enabled_by_key) {
  if (contains(settings.disable, probe.name)) return false;
  if (contains(settings.enable, probe.name) || enabled_by_key) return true;
  return probe.enabled && probe.cost <= probes::parse_cost(settings.cost_max);
}

}  // namespace

std::set<std::string> coded_probe_names() {
  std::set<std::string> out;
  for (const auto& probe : coded_probe_table()) out.insert(probe.description().name);
  return out;
}

ProbeList::ProbeList(const ProbeSettings& settings) : settings_(settings) {
  auto running = std::make_shared<std::vector<probes::ProbeSpec>>();
  for (auto& spec : probes::all_probes(settings.folder, coded_probe_names())) {
    rows_.push_back({probes::describe(spec), false, false});
    rows_.back().runs = runs(rows_.back().description, settings, false);
    if (rows_.back().runs) running->push_back(std::move(spec));
  }
  for (const auto& probe : coded_probe_table()) {
    const bool by_key = probe.enabled_by != nullptr && probe.enabled_by(settings);
    rows_.push_back({probe.description(), true, false});
    rows_.back().runs = runs(rows_.back().description, settings, by_key);
  }
  specs_ = std::move(running);
  const auto known = names();
  PANTRYD_ASSERT(known.size() == rows_.size());
  for (const auto* list : {&settings.enable, &settings.disable}) {
    for (const auto& name : *list) {
      require_known(name, "probe", known, "`pantryd probes list` shows the names of the probes.");
    }
  }
}

std::set<std::string> ProbeList::names() const {
  std::set<std::string> out;
  for (const auto& row : rows_) out.insert(row.description.name);
  return out;
}

void ProbeList::add_coded(const TargetSettings& target, const probes::SnapshotStore& store,
                          probes::WatchedTarget& watched) const {
  const ProbeContext context{target, settings_, *specs_, store};
  for (const auto& probe : coded_probe_table()) {
    const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const auto& each) {
      return each.coded && each.description.name == probe.description().name;
    });
    PANTRYD_ASSERT(row != rows_.end());
    if (row->runs) probe.add(context, watched);
  }
}

}  // namespace pantryd
