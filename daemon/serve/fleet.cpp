// Invariant: watched_ holds exactly the targets of the settings that were applied last, each with a
// watcher that was made of them and started.
#include "serve/fleet.h"

#include <algorithm>

#include "serve/targets.h"

namespace pantryd {

Fleet::~Fleet() {
  request_stop();
}

void Fleet::request_stop() {
  // All at once, so that their ends take the time of the slowest and not of all.
  for (const auto& [name, each] : watched_) each.watcher->request_stop();
}

Fleet::Changes Fleet::apply(const Settings& settings) {
  const auto specs = probe_specs(settings);
  const bool all_anew = !(settings.probes == probes_);
  Changes changes;
  std::map<std::string, const TargetSettings*> wanted;
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
  end(changes.ended);
  end(changes.renewed);
  for (const auto& name : changes.ended) store_.remove(name);
  probes_ = settings.probes;
  for (const auto& target : settings.targets) {
    if (watched_.count(target.name) > 0) continue;
    auto watcher = make_watcher(target, settings, specs, store_);
    watcher->start();
    watched_.emplace(target.name, Watched{target, std::move(watcher)});
    const bool renewed = std::find(changes.renewed.begin(), changes.renewed.end(), target.name) !=
                         changes.renewed.end();
    if (!renewed) changes.begun.push_back(target.name);
  }
  return changes;
}

void Fleet::end(const std::vector<std::string>& names) {
  for (const auto& name : names) watched_.at(name).watcher->request_stop();
  for (const auto& name : names) watched_.erase(name);
}

}  // namespace pantryd
