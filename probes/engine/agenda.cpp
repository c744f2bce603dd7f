// The invariants are in the header.
#include "probes/engine/agenda.h"

#include <algorithm>
#include <set>

#include "base/assert.h"

namespace pantryd::probes {

Entry& Agenda::add(Lane lane, const std::string& name, const std::string& database,
                   std::chrono::milliseconds interval, const ProbeState* before,
                   SteadyClock::time_point now) {
  auto entry = std::make_unique<Entry>();
  entry->lane = lane;
  entry->database = database;
  entry->interval = interval;
  entry->due = now;
  auto state = std::make_shared<ProbeState>(before == nullptr ? ProbeState() : *before);
  state->name = name;
  state->database = database;
  state->interval = interval;
  entry->state = std::move(state);
  entries_.push_back(std::move(entry));
  return *entries_.back();
}

Entry* Agenda::take_due(Lane lane, const std::string& database, SteadyClock::time_point now,
                        std::chrono::milliseconds nap, SteadyClock::time_point& next) {
  next = now + nap;
  Entry* best = nullptr;
  const auto here = [&](const Entry& entry) { return entry.database == database; };
  for (auto& entry : entries_) {
    if (entry->lane != lane || entry->running) continue;
    if (entry->due > now) {
      next = std::min(next, entry->due);
      continue;
    }
    const bool better = best == nullptr || (here(*entry) && !here(*best)) ||
                        (here(*entry) == here(*best) && entry->due < best->due);
    if (better) best = entry.get();
  }
  if (best != nullptr) best->running = true;
  return best;
}

Entry* Agenda::take_unrun(Lane lane) {
  for (auto& entry : entries_) {
    if (entry->lane != lane || entry->running || entry->state->ran()) continue;
    entry->running = true;
    return entry.get();
  }
  return nullptr;
}

void Agenda::give_back(Entry& entry, std::shared_ptr<const ProbeState> state,
                       SteadyClock::time_point now) {
  PANTRYD_ASSERT(entry.running && state != nullptr && state->interval.count() > 0);
  PANTRYD_ASSERT_DEBUG(has(entry));
  entry.due += state->interval;
  if (entry.due < now) entry.due = now + state->interval;
  entry.state = std::move(state);
  entry.running = false;
  PANTRYD_ASSERT(entry.due >= now);
}

void Agenda::hurry(SteadyClock::time_point now) {
  for (auto& entry : entries_) {
    if (entry->lane != Lane::local && !entry->running) entry->due = std::min(entry->due, now);
  }
}

void Agenda::keep_databases(const std::vector<std::string>& names) {
  const std::set<std::string> kept(names.begin(), names.end());
  std::erase_if(entries_, [&](const auto& entry) {
    if (entry->lane != Lane::database) return false;
    PANTRYD_ASSERT(!entry->running);
    return kept.count(entry->database) == 0;
  });
}

bool Agenda::has(const ProbeSpec& spec, const std::string& database) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry->spec == &spec && entry->database == database;
  });
}

bool Agenda::has(const Entry& entry) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& each) { return each.get() == &entry; });
}

std::vector<std::shared_ptr<const ProbeState>> Agenda::states() const {
  std::vector<std::shared_ptr<const ProbeState>> out;
  out.reserve(entries_.size());
  for (const auto& entry : entries_) out.push_back(entry->state);
  return out;
}

}  // namespace pantryd::probes
