// Invariant: errors has at most kCodesMax entries; what comes beyond them is counted as "other".
#include "loadgen/result/totals.h"

#include <algorithm>
#include <optional>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kCodesMax = 100;

/// What two reactors saw at the same time is one outage of the server.
void merge_outages(const std::vector<Outage>& from, std::vector<Outage>& into) {
  into.insert(into.end(), from.begin(), from.end());
  std::sort(into.begin(), into.end(),
            [](const Outage& a, const Outage& b) { return a.from_s < b.from_s; });
  std::vector<Outage> out;
  for (auto& each : into) {
    const bool same = !out.empty() && (!out.back().to_s || each.from_s <= *out.back().to_s);
    if (!same) {
      out.push_back(std::move(each));
      continue;
    }
    auto& last = out.back();
    last.to_s =
        last.to_s && each.to_s ? std::optional(std::max(*last.to_s, *each.to_s)) : std::nullopt;
    last.operations_failed += each.operations_failed;
    last.connections_lost += each.connections_lost;
  }
  into = std::move(out);
}

}  // namespace

void OperationTotals::merge(const OperationTotals& other) {
  offered += other.offered;
  completed += other.completed;
  refused += other.refused;
  empty += other.empty;
  errors += other.errors;
  not_started += other.not_started;
  attempts += other.attempts;
  retries += other.retries;
  gave_up += other.gave_up;
  over_slo += other.over_slo;
  done_in_window += other.done_in_window;
  response.merge(other.response);
  service.merge(other.service);
  wait.merge(other.wait);
}

double throughput_per_s(std::int64_t done_in_window, double measured_s) {
  return measured_s > 0 ? static_cast<double>(done_in_window) / measured_s : 0;
}

void RunTotals::add_error(const std::string& code, const std::string& message) {
  const bool room = errors.contains(code) || errors.size() < kCodesMax;
  auto& entry = errors[room ? code : "other"];
  if (entry.count++ == 0) entry.first_message = message;
}

void RunTotals::merge(const RunTotals& other) {
  if (operations.empty()) operations.resize(other.operations.size());
  for (std::size_t i = 0; i < other.operations.size(); ++i) {
    operations[i].merge(other.operations[i]);
  }
  drained.completed += other.drained.completed;
  drained.seconds = std::max(drained.seconds, other.drained.seconds);
  for (const auto& [code, entry] : other.errors) {
    auto& mine = errors[code];
    if (mine.count == 0) mine.first_message = entry.first_message;
    mine.count += entry.count;
  }
  merge_outages(other.outages, outages);
  client.cpu_s += other.client.cpu_s;
  client.busiest_cpu_s = std::max(client.busiest_cpu_s, other.client.busiest_cpu_s);
  client.threads += other.client.threads;
  client.cpu_wait_s += other.client.cpu_wait_s;
  client.measured_s = std::max(client.measured_s, other.client.measured_s);
  client.operations += other.client.operations;
  client.start_lag.merge(other.client.start_lag);
  client.stalls += other.client.stalls;
  client.longest_stall_us = std::max(client.longest_stall_us, other.client.longest_stall_us);
  client.loop.merge(other.client.loop);
  queue_peak += other.queue_peak;
  users_peak += other.users_peak;
  found_users_busy += other.found_users_busy;
  warmup_operations += other.warmup_operations;
}

}  // namespace pantryd::loadgen
