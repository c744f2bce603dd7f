// The evidence of a run in a few lines of text.
#include "loadgen/report/evidence_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "loadgen/judge/bottleneck.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kEventsMax = 5;
constexpr std::size_t kStatementsShown = 5;
constexpr std::size_t kTextMax = 70;
constexpr double kGrownShown = 1 << 20;

double total(const LoadResult& result, const char* name) {
  const auto found = result.evidence.totals.find(name);
  return found != result.evidence.totals.end() ? found->second : 0;
}

std::string counters_line(const LoadResult& result) {
  const auto transactions = total(result, "commits") + total(result, "rollbacks");
  const auto wal = total(result, "wal_bytes");
  const auto hit = total(result, "blocks_hit");
  const auto read = total(result, "blocks_read");
  std::string out = fmt::format("server: {:.0f} transactions, WAL {}", transactions,
                                format_bytes(static_cast<std::int64_t>(wal)));
  if (transactions > 0) out += fmt::format(" ({:.0f} B each)", wal / transactions);
  if (hit + read > 0) out += fmt::format(", {:.2f} % of pages in memory", 100 * hit / (hit + read));
  out += fmt::format(", {:.0f} checkpoints, {:.0f} deadlocks\n", total(result, "checkpoints"),
                     total(result, "deadlocks"));
  return out;
}

std::string host_line(const LoadResult& result) {
  const auto facts = bottleneck_facts(result);
  if (!facts.server_cpu_busy) return {};
  std::string out = fmt::format("host: processors {:.0f} % busy", 100 * *facts.server_cpu_busy);
  if (facts.server_disk_busy) {
    out += fmt::format(", disk {:.0f} % busy", 100 * *facts.server_disk_busy);
  }
  return out + "\n";
}

std::string statement_lines(const LoadResult& result) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& [id, each] : result.evidence.statements) {
    if (++shown > kStatementsShown) break;
    const auto text = each.text.empty() ? "queryid " + id : each.text.substr(0, kTextMax);
    out += fmt::format("  {:>9.1f} ms {:>9.0f} calls {:>8.3f} ms each  {}\n", each.time_ms,
                       each.calls, each.time_ms / std::max(1.0, each.calls), text);
  }
  return out.empty() ? out : "statements by time:\n" + out;
}

std::string growth_lines(const LoadResult& result) {
  std::string out;
  for (const auto& each : result.evidence.tables) {
    if (static_cast<double>(each.table_grown_bytes + each.index_grown_bytes) < kGrownShown)
      continue;
    out += fmt::format("{} grew by {}, its indexes by {}\n", each.name,
                       format_bytes(each.table_grown_bytes), format_bytes(each.index_grown_bytes));
  }
  return out;
}

}  // namespace

std::string waits_text(const std::map<std::string, std::int64_t>& waits) {
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  std::int64_t all = 0;
  for (const auto& [event, count] : waits) {
    sorted.emplace_back(count, event);
    all += count;
  }
  std::sort(sorted.rbegin(), sorted.rend());
  std::string out;
  for (std::size_t i = 0; i < std::min(kEventsMax, sorted.size()); ++i) {
    out += fmt::format("{}{} {:.0f} %", i > 0 ? ", " : "", sorted[i].second,
                       100 * static_cast<double>(sorted[i].first) / static_cast<double>(all));
  }
  return out;
}

std::string evidence_text(const LoadResult& result) {
  const auto& evidence = result.evidence;
  std::string out;
  if (!evidence.totals.empty()) {
    out += counters_line(result);
    out += host_line(result);
    if (!evidence.waits.empty()) out += "sessions at work: " + waits_text(evidence.waits) + "\n";
    out += statement_lines(result);
    out += growth_lines(result);
    out += fmt::format("observer: {} looks, {} dropped, {:.1f} ms of the server in all\n",
                       evidence.observer.looks, evidence.observer.dropped,
                       1000 * evidence.observer.server_s);
  }
  if (!evidence.note.empty()) out += "note: " + evidence.note + "\n";
  for (const auto& warning : result.self_check.warnings) out += "warning: " + warning + "\n";
  if (!evidence.totals.empty()) out += "next limit: " + result.bottleneck.text + "\n";
  return out;
}

}  // namespace pantryd::loadgen
