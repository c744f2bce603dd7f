// Invariant: errors has at most kCodesMax entries; what comes beyond them is counted as "other".
#include "loadgen/drive/totals.h"

#include <algorithm>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kCodesMax = 100;

}  // namespace

void OperationTotals::merge(const OperationTotals& other) {
  offered += other.offered;
  completed += other.completed;
  refused += other.refused;
  errors += other.errors;
  not_started += other.not_started;
  retries += other.retries;
  over_slo += other.over_slo;
  response.merge(other.response);
  service.merge(other.service);
  wait.merge(other.wait);
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
  for (const auto& [code, entry] : other.errors) {
    auto& mine = errors[code];
    if (mine.count == 0) mine.first_message = entry.first_message;
    mine.count += entry.count;
  }
  for (const auto& window : other.windows) {
    const auto same = std::find_if(windows.begin(), windows.end(), [&](const Window& each) {
      return each.second == window.second;
    });
    if (same == windows.end()) {
      windows.push_back(window);
      continue;
    }
    same->offered += window.offered;
    same->completed += window.completed;
    same->errors += window.errors;
    same->queued += window.queued;
    // A percentile cannot be added: the larger one is an upper bound.
    same->p99_us = std::max(same->p99_us, window.p99_us);
  }
  outages.insert(outages.end(), other.outages.begin(), other.outages.end());
  client.cpu_s += other.client.cpu_s;
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
