// Differences between looks that the server answered; what no look shows stays unknown.
#include "loadgen/evidence/surroundings.h"

#include <algorithm>
#include <map>

namespace pantryd::loadgen {
namespace {

std::optional<double> gauge_of(const Look& look, const char* name) {
  const auto found = look.gauges.find(name);
  return found == look.gauges.end() ? std::nullopt : std::optional(found->second);
}

std::vector<const Look*> answered(const std::vector<Look>& looks) {
  std::vector<const Look*> out;
  for (const auto& look : looks) {
    if (look.answered) out.push_back(&look);
  }
  return out;
}

/// What was added between the first and the last of the looks, from 0 again after a restart.
std::optional<double> added(const std::vector<const Look*>& looks, const char* name) {
  std::optional<double> out;
  for (std::size_t i = 1; i < looks.size(); ++i) {
    const auto before = looks[i - 1]->counters.find(name);
    const auto after = looks[i]->counters.find(name);
    if (before == looks[i - 1]->counters.end() || after == looks[i]->counters.end()) continue;
    const double step = after->second - before->second;
    out = out.value_or(0) + (step >= 0 ? step : after->second);
  }
  return out;
}

void add_seen(const std::map<std::string, std::int64_t>& look,
              std::map<std::string, SeenSessions>& all) {
  for (const auto& [name, count] : look) {
    auto& seen = all[name];
    seen.name = name;
    seen.most = std::max(seen.most, count);
    ++seen.looks;
  }
}

std::vector<SeenSessions> most_first(const std::map<std::string, SeenSessions>& all) {
  std::vector<SeenSessions> out;
  for (const auto& [name, seen] : all) out.push_back(seen);
  std::stable_sort(out.begin(), out.end(), [](const SeenSessions& a, const SeenSessions& b) {
    return a.looks != b.looks ? a.looks > b.looks : a.most > b.most;
  });
  return out;
}

void add_changes_of(const std::vector<const Look*>& looks, const char* gauge, const char* kind,
                    const char* text, std::vector<ServerEvent>& out) {
  for (std::size_t i = 1; i < looks.size(); ++i) {
    const auto before = gauge_of(*looks[i - 1], gauge);
    const auto after = gauge_of(*looks[i], gauge);
    if (before && after && *before != *after) out.push_back({looks[i]->at_s, kind, text});
  }
}

/// A restart reads the configuration, too, and is no reload beside that.
void drop_reloads_of_restarts(std::vector<ServerEvent>& events) {
  std::erase_if(events, [&](const ServerEvent& each) {
    return each.kind == "reload" &&
           std::any_of(events.begin(), events.end(), [&](const ServerEvent& other) {
             return other.kind == "restart" && other.at_s == each.at_s;
           });
  });
}

}  // namespace

double Surroundings::work_share() const {
  return looks > 0 ? static_cast<double>(looks_with_work) / static_cast<double>(looks) : 0;
}

Surroundings surroundings_of(const std::vector<Look>& looks,
                             const std::vector<ServerEvent>& changes, double measured_s) {
  Surroundings out;
  const auto all = answered(looks);
  std::vector<const Look*> measured;
  for (const auto* look : all) {
    // A look that begins a moment late still belongs to its second.
    if (look->at_s >= -0.5 && look->at_s <= measured_s + 0.5) measured.push_back(look);
  }
  add_changes_of(all, "started_at", "restart", "the server was restarted", out.events);
  add_changes_of(all, "configured_at", "reload", "the server read its configuration", out.events);
  drop_reloads_of_restarts(out.events);
  out.events.insert(out.events.end(), changes.begin(), changes.end());
  std::stable_sort(out.events.begin(), out.events.end(),
                   [](const ServerEvent& a, const ServerEvent& b) { return a.at_s < b.at_s; });
  out.looks = static_cast<std::int64_t>(measured.size());
  out.checkpoints_timed = added(measured, "checkpoints_timed");
  out.checkpoints_requested = added(measured, "checkpoints_requested");
  std::map<std::string, SeenSessions> others;
  std::map<std::string, SeenSessions> vacuums;
  for (const auto* look : measured) {
    add_seen(look->others, others);
    add_seen(look->vacuums, vacuums);
    const auto most = [&](const char* gauge, std::int64_t& into) {
      into = std::max(into, static_cast<std::int64_t>(gauge_of(*look, gauge).value_or(0)));
    };
    most("foreign_sessions", out.others_most);
    most("foreign_hidden", out.hidden_most);
    if (gauge_of(*look, "foreign_active").value_or(0) > 0) ++out.looks_with_work;
  }
  out.others = most_first(others);
  out.vacuums = most_first(vacuums);
  return out;
}

}  // namespace pantryd::loadgen
