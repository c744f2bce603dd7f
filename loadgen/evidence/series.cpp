// Differences of cumulative counters, and the JSON of the series.
#include "loadgen/evidence/series.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loadgen/evidence/maybe_json.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMomentS = 0.1;

void take_processors(const Look& from, const Look& to, EvidenceSecond& out) {
  if (!from.cpu || !to.cpu) return;
  const double all = to.cpu->all_s() - from.cpu->all_s();
  if (all <= 0) return;
  out.cpu_busy = (to.cpu->busy_s - from.cpu->busy_s) / all;
  out.cpu_iowait = std::max(0.0, to.cpu->iowait_s - from.cpu->iowait_s) / all;
  out.cpu_steal = (to.cpu->steal_s - from.cpu->steal_s) / all;
}

void take_disk(const Look& from, const Look& to, double elapsed_s, EvidenceSecond& out) {
  if (!from.disk || !to.disk) return;
  out.disk_busy = std::clamp((to.disk->busy_s - from.disk->busy_s) / elapsed_s, 0.0, 1.0);
  out.disk_read_bytes_per_s =
      static_cast<double>(to.disk->read_bytes - from.disk->read_bytes) / elapsed_s;
  out.disk_write_bytes_per_s =
      static_cast<double>(to.disk->write_bytes - from.disk->write_bytes) / elapsed_s;
}

EvidenceSecond between(const Look& from, const Look& to) {
  EvidenceSecond out;
  out.from_s = from.at_s;
  out.to_s = to.at_s;
  out.took_ms = to.took_ms;
  out.gauges = to.gauges;
  out.waits = to.waits;
  const double elapsed_s = std::max(to.at_s - from.at_s, 1e-3);
  for (const auto& [name, value] : to.counters) {
    const auto before = from.counters.find(name);
    if (before != from.counters.end() && value >= before->second) {
      out.per_s[name] = (value - before->second) / elapsed_s;
    }
  }
  take_processors(from, to, out);
  take_disk(from, to, elapsed_s, out);
  return out;
}

/// The sum of what was added between looks that the server answered.
std::map<std::string, double> totals_of(const std::vector<Look>& looks) {
  std::map<std::string, double> out;
  const Look* last = nullptr;
  for (const auto& look : looks) {
    if (!look.answered) continue;
    for (const auto& [name, value] : look.counters) {
      if (last == nullptr || !last->counters.contains(name)) continue;
      const double before = last->counters.at(name);
      out[name] += value >= before ? value - before : value;  // it began at 0 again
    }
    last = &look;
  }
  return out;
}

HostFacts host_facts(const std::vector<Look>& looks) {
  HostFacts out;
  const auto first =
      std::find_if(looks.begin(), looks.end(), [](const Look& look) { return look.at_s >= -0.5; });
  if (first == looks.end() || &*first == &looks.back()) return out;
  const auto& last = looks.back();
  out.elapsed_s = last.at_s - first->at_s;
  if (first->cpu && last.cpu && last.cpu->all_s() > first->cpu->all_s()) {
    out.steal_s = last.cpu->steal_s - first->cpu->steal_s;
    out.steal_share = out.steal_s / (last.cpu->all_s() - first->cpu->all_s());
  }
  if (first->throttling && last.throttling) {
    out.throttled = last.throttling->throttled - first->throttling->throttled;
    out.throttled_s = last.throttling->throttled_s - first->throttling->throttled_s;
  }
  return out;
}

ServerFacts server_facts(const std::vector<Look>& looks,
                         const std::map<std::string, double>& totals) {
  ServerFacts out;
  const auto total = [&totals](const char* name) {
    const auto found = totals.find(name);
    return found != totals.end() ? found->second : 0;
  };
  const Look* first = nullptr;
  const Look* last = nullptr;
  for (const auto& look : looks) {
    if (!look.answered) continue;
    if (first == nullptr) first = &look;
    last = &look;
  }
  if (first == last) return out;
  const auto changed = [&](const char* name) {
    return first->gauges.contains(name) && last->gauges.contains(name) &&
           first->gauges.at(name) != last->gauges.at(name);
  };
  out.elapsed_s = last->at_s - first->at_s;
  out.restarted = changed("started_at");
  out.reloaded = changed("configured_at");
  out.own_transactions = total("commits") + total("rollbacks");
  out.other_transactions = total("other_transactions");
  out.own_active_s = total("active_ms") / 1000;
  out.other_active_s = total("other_active_ms") / 1000;
  out.statements_evicted = total("statements_evicted");
  return out;
}

Json sessions_json(const std::vector<SeenSessions>& sessions) {
  auto out = Json::array();
  for (const auto& each : sessions) {
    out.push_back({{"name", each.name}, {"most", each.most}, {"looks", each.looks}});
  }
  return out;
}

Json surroundings_json(const Surroundings& seen) {
  const bool known = seen.looks > 0;
  Json out = {{"looks", seen.looks},
              {"events", Json::array()},
              {"checkpoints_timed", maybe(seen.checkpoints_timed)},
              {"checkpoints_requested", maybe(seen.checkpoints_requested)},
              {"autovacuum", known ? sessions_json(seen.vacuums) : Json()},
              {"other_sessions", known ? sessions_json(seen.others) : Json()},
              {"other_sessions_most", known ? Json(seen.others_most) : Json()},
              {"other_sessions_hidden", known ? Json(seen.hidden_most) : Json()},
              {"other_sessions_at_work", known ? Json(seen.work_share()) : Json()}};
  for (const auto& each : seen.events) {
    out["events"].push_back({{"at_s", each.at_s}, {"kind", each.kind}, {"text", each.text}});
  }
  return out;
}

Json second_json(const EvidenceSecond& second) {
  return {{"from_s", second.from_s},
          {"to_s", second.to_s},
          {"took_ms", second.took_ms},
          {"per_s", second.per_s},
          {"gauges", second.gauges},
          {"waits", second.waits},
          {"cpu_busy", maybe(second.cpu_busy)},
          {"cpu_iowait", maybe(second.cpu_iowait)},
          {"cpu_steal", maybe(second.cpu_steal)},
          {"disk_busy", maybe(second.disk_busy)},
          {"disk_read_bytes_per_s", maybe(second.disk_read_bytes_per_s)},
          {"disk_write_bytes_per_s", maybe(second.disk_write_bytes_per_s)}};
}

}  // namespace

EvidenceSeries differences(const std::vector<Look>& looks, double measured_s,
                           const std::vector<ServerEvent>& changes) {
  EvidenceSeries out;
  for (std::size_t i = 1; i < looks.size(); ++i) {
    // The last look comes when it may: over a moment, a rate says nothing.
    if (looks[i].at_s - looks[i - 1].at_s < kMomentS) continue;
    out.seconds.push_back(between(looks[i - 1], looks[i]));
  }
  for (const auto& look : looks) {
    if (look.at_s < 0 || look.at_s > measured_s) continue;
    for (const auto& [name, count] : look.waits) out.waits[name] += count;
    for (const auto& [name, count] : look.contended) out.contended[name] += count;
  }
  out.totals = totals_of(looks);
  out.host = host_facts(looks);
  out.server = server_facts(looks, out.totals);
  out.surroundings = surroundings_of(looks, changes, measured_s);
  return out;
}

std::vector<std::pair<std::string, StatementCounts>> top_statements(const Statements& before,
                                                                    const Statements& after,
                                                                    std::size_t count) {
  std::vector<std::pair<std::string, StatementCounts>> out;
  for (const auto& [id, now] : after) {
    auto delta = now;
    // Evicted and tracked again, or reset: the counts are those since then.
    if (const auto then = before.find(id);
        then != before.end() && then->second.calls <= now.calls) {
      delta.calls -= then->second.calls;
      delta.time_ms -= then->second.time_ms;
      delta.rows -= then->second.rows;
      delta.blocks_hit -= then->second.blocks_hit;
      delta.blocks_read -= then->second.blocks_read;
      delta.wal_bytes -= then->second.wal_bytes;
    }
    if (delta.calls > 0) out.emplace_back(id, std::move(delta));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.second.time_ms > b.second.time_ms; });
  if (out.size() > count) out.resize(count);
  return out;
}

std::vector<TableGrowth> growth(const std::vector<RelationSize>& before,
                                const std::vector<RelationSize>& after) {
  std::vector<TableGrowth> out;
  for (const auto& now : after) {
    const auto then = std::find_if(before.begin(), before.end(), [&now](const RelationSize& each) {
      return each.name == now.name;
    });
    if (then == before.end()) continue;
    out.push_back({now.name, now.table_bytes, now.index_bytes, now.table_bytes - then->table_bytes,
                   now.index_bytes - then->index_bytes});
  }
  return out;
}

void thin(std::vector<Look>& looks) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < looks.size(); i += 2) {
    if (kept != i) looks[kept] = std::move(looks[i]);
    ++kept;
  }
  looks.resize(kept);
}

Json EvidenceSeries::to_json() const {
  Json out = {{"note", note.empty() ? Json() : Json(note)},
              {"totals", totals},
              {"waits", waits},
              {"contended", contended},
              {"host",
               {{"elapsed_s", host.elapsed_s},
                {"steal_share", maybe(host.steal_share)},
                {"throttled", host.throttled ? Json(*host.throttled) : Json()},
                {"throttled_s", host.throttled_s}}},
              {"observer",
               {{"looks", observer.looks},
                {"dropped", observer.dropped},
                {"server_s", observer.server_s},
                {"client_cpu_s", observer.client_cpu_s}}}};
  out["surroundings"] = surroundings_json(surroundings);
  out["statements"] = Json::array();
  for (const auto& [id, each] : statements) {
    out["statements"].push_back({{"queryid", id},
                                 {"text", each.text},
                                 {"calls", each.calls},
                                 {"time_ms", each.time_ms},
                                 {"rows", each.rows},
                                 {"blocks_hit", each.blocks_hit},
                                 {"blocks_read", each.blocks_read},
                                 {"wal_bytes", each.wal_bytes}});
  }
  out["tables"] = Json::array();
  for (const auto& each : tables) {
    out["tables"].push_back({{"name", each.name},
                             {"table_bytes", each.table_bytes},
                             {"index_bytes", each.index_bytes},
                             {"table_grown_bytes", each.table_grown_bytes},
                             {"index_grown_bytes", each.index_grown_bytes}});
  }
  out["seconds"] = Json::array();
  for (const auto& each : seconds) out["seconds"].push_back(second_json(each));
  return out;
}

}  // namespace pantryd::loadgen
