// The form for people: one table, then what is remarkable.
#include <fmt/format.h>

#include "base/units.h"
#include "loadgen/report/evidence_text.h"
#include "loadgen/report/load_forms.h"
#include "loadgen/report/surroundings_text.h"

namespace pantryd::loadgen {
namespace {

std::string time_text(std::int64_t us) {
  const auto value = static_cast<double>(us);
  if (us < 1000) return fmt::format("{} us", us);
  if (us < 100'000) return fmt::format("{:.1f} ms", value / 1e3);
  if (us < 1'000'000) return fmt::format("{:.0f} ms", value / 1e3);
  return fmt::format("{:.2f} s", value / 1e6);
}

std::string quantile(const Histogram& histogram, double share) {
  if (histogram.count() == 0) return "-";
  return time_text(histogram.quantile_us(share));
}

std::string operation_line(const OperationResult& each) {
  const auto& totals = each.totals;
  const auto failed = totals.errors + totals.not_started;
  return fmt::format("{:<18}{:>9}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}  {}\n", each.name,
                     totals.completed, failed, quantile(totals.response, 0.5),
                     quantile(totals.response, 0.95), quantile(totals.response, 0.99),
                     totals.response.count() > 0 ? time_text(totals.response.max_us()) : "-",
                     quantile(totals.service, 0.99),
                     each.slo_p99 ? time_text(each.slo_p99->count()) : "-",
                     to_string(each.verdict));
}

std::string header(const LoadResult& result) {
  const auto& options = result.options;
  const auto rate = options.rate_per_s ? fmt::format("{:g}/s", *options.rate_per_s)
                                       : std::string("as fast as it goes");
  return fmt::format("{}: {}, {} users over {} connections, {} ({}), PostgreSQL {}\n",
                     options.workload.name, rate, options.users, options.connections,
                     format_duration(options.duration), to_string(options.mode),
                     result.server_version);
}

std::string client_line(const LoadResult& result) {
  const auto& client = result.totals.client;
  const double per_operation =
      client.operations > 0 ? client.cpu_s * 1e6 / static_cast<double>(client.operations) : 0;
  const double share = client.measured_s > 0 ? client.cpu_s / client.measured_s : 0;
  return fmt::format(
      "client: {:.0f} us CPU an operation, {:.0f} % of a core, start lag p99 {}, {} stalls\n",
      per_operation, share * 100, quantile(client.start_lag, 0.99), client.stalls);
}

std::string attempts_line(const LoadResult& result) {
  std::int64_t attempts = 0;
  std::int64_t retries = 0;
  std::int64_t gave_up = 0;
  for (const auto& each : result.operations) {
    attempts += each.totals.attempts;
    retries += each.totals.retries;
    gave_up += each.totals.gave_up;
  }
  return fmt::format("{} attempts, of them {} retries; {} operations used up their retries\n",
                     attempts, retries, gave_up);
}

}  // namespace

std::string to_text(const LoadResult& result) {
  std::string out = header(result);
  out += fmt::format("{:<18}{:>9}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "", "done", "failed",
                     "p50", "p95", "p99", "max", "service", "SLO p99");
  for (const auto& operation : result.operations) out += operation_line(operation);
  out += fmt::format("{:.1f} operations/s: {} completed in the measured {:.1f} s\n",
                     result.completed_per_s(), result.done_in_window(),
                     result.totals.client.measured_s);
  if (result.totals.drained.completed > 0) {
    out += fmt::format("not counted: {} more completed in the {:.1f} s after it\n",
                       result.totals.drained.completed, result.totals.drained.seconds);
  }
  out += fmt::format(
      "{} offered = {} completed + {} refused + {} empty + {} errors + {} not started\n",
      result.offered(), result.completed(), result.refused(), result.empty(), result.errors(),
      result.not_started());
  out += attempts_line(result);
  for (const auto& each : result.rows) out += "dataset: " + each.text() + "\n";
  out += "warm-up: " + warm_up_text(result) + "\n";
  out += client_line(result);
  for (const auto& [code, entry] : result.totals.errors) {
    out += fmt::format("error {}: {} times, first: {}\n", code, entry.count, entry.first_message);
  }
  for (const auto& outage : result.totals.outages) {
    const auto end = outage.to_s ? fmt::format("{:.1f} s", *outage.to_s) : std::string("the end");
    out += fmt::format(
        "outage from {:.1f} s to {}: {} connections lost, {} operations failed ({})\n",
        outage.from_s, end, outage.connections_lost, outage.operations_failed, outage.first_error);
  }
  for (const auto& each : result.invariants) out += each.sentence() + "\n";
  if (result.options.evidence) {
    for (const auto& line : surroundings_lines(result)) out += "meanwhile: " + line + "\n";
  }
  out += evidence_text(result);
  out += fmt::format("verdict: {}\n", to_string(result.verdict));
  for (const auto& reason : result.reasons) out += "  " + reason + "\n";
  return out;
}

}  // namespace pantryd::loadgen
