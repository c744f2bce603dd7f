// Invariant: watched_ holds exactly the targets of the settings that were applied last, each with a
// watcher that was made of them and started.
#include "serve/fleet.h"

#include <algorithm>

#include "serve/targets.h"

namespace pantryd {
namespace {

bool same_probes(const std::vector<probes::ProbeSpec>& a, const std::vector<probes::ProbeSpec>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.source == y.source; });
}

const probes::ProbeSpec* find_probe(const std::vector<probes::ProbeSpec>& list,
                                    const std::string& name) {
  for (const auto& each : list) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace

Fleet::~Fleet() {
  request_stop();
}

void Fleet::request_stop() {
  // All at once, so that their ends take the time of the slowest and not of all.
  for (const auto& [name, each] : watched_) each.watcher->request_stop();
}

Fleet::Changes Fleet::apply(const Settings& settings) {
  const auto list = probe_list(settings);
  const auto& specs = list.specs();
  // The operator's files may have changed where the configuration did not.
  const bool all_anew = !(settings.probes == probes_) || !specs_ || !same_probes(*specs, *specs_);
  Changes changes;
  std::map<std::string, const TargetSettings*> wanted;
  std::map<std::string, std::shared_ptr<const probes::TargetSnapshot>> before;
  for (const auto& target : settings.targets) wanted[target.name] = &target;
  for (const auto& [name, each] : watched_) {
    const auto still = wanted.find(name);
    if (still == wanted.end()) {
      changes.ended.push_back(name);
    } else if (all_anew || !(*still->second == each.settings)) {
      changes.renewed.push_back(name);
    }
  }
  // The old one goes first: two watchers of one target would hold twice its connections.
  for (const auto& name : changes.renewed) {
    // Another server, or another login, may see something else.
    if (*wanted[name] == watched_.at(name).settings) before[name] = seen_before(name, *specs);
  }
  end(changes.ended);
  end(changes.renewed);
  for (const auto& name : changes.ended) store_.remove(name);
  probes_ = settings.probes;
  specs_ = specs;
  for (const auto& target : settings.targets) {
    if (watched_.count(target.name) > 0) continue;
    auto watcher =
        make_watcher(target, settings.probes, list, store_, Keep::text, before[target.name]);
    watcher->start();
    watched_.emplace(target.name, Watched{target, std::move(watcher)});
    const bool renewed = std::find(changes.renewed.begin(), changes.renewed.end(), target.name) !=
                         changes.renewed.end();
    if (!renewed) changes.begun.push_back(target.name);
  }
  return changes;
}

/// Without what came of probes that are gone or not what they were: a metric may have moved from
/// one to another, and would be told twice.
std::shared_ptr<const probes::TargetSnapshot> Fleet::seen_before(
    const std::string& target, const std::vector<probes::ProbeSpec>& specs) const {
  const auto seen = store_.find(target);
  if (!seen || !specs_) return nullptr;
  auto out = std::make_shared<probes::TargetSnapshot>(*seen);
  const auto changed = [&](const std::shared_ptr<const probes::ProbeState>& state) {
    const auto* then = find_probe(*specs_, state->name);
    const auto* now = find_probe(specs, state->name);
    const bool coded = then == nullptr && now == nullptr;
    return !coded && (then == nullptr || now == nullptr || then->source != now->source);
  };
  out->probes.erase(std::remove_if(out->probes.begin(), out->probes.end(), changed),
                    out->probes.end());
  return out;
}

void Fleet::end(const std::vector<std::string>& names) {
  for (const auto& name : names) watched_.at(name).watcher->request_stop();
  for (const auto& name : names) watched_.erase(name);
}

}  // namespace pantryd
