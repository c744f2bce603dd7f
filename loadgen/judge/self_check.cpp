// Each look_at_* judges facts of one kind and does not use the others.
#include "loadgen/judge/self_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loadgen/judge/verdict.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kLagSamplesMin = 100;
constexpr double kStallShareMax = 0.01;
constexpr std::int64_t kStoodStillUs = 250'000;
constexpr double kArrivalsOffMax = 0.01;
constexpr double kGapDistanceMax = 0.10;
constexpr std::int64_t kGapBlocksMin = 50;
constexpr double kStealMax = 0.02;
constexpr double kStealMinS = 0.05;  // less is a tick or two of a short run
constexpr double kThrottledMax = 0.01;
constexpr double kClockStepMaxS = 0.05;
constexpr double kSuspendedMaxS = 0.01;
constexpr double kMissingMax = 0.05;
constexpr double kOthersMax = 0.05;
constexpr double kOthersMinPerS = 10;
constexpr double kOthersActiveMin = 0.05;  // sessions at work on average
constexpr double kOthersBusyMin = 0.8;
constexpr std::int64_t kOthersLooksMin = 3;
constexpr std::size_t kNamesMax = 5;

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double ms(std::int64_t us) {
  return static_cast<double>(us) / 1000;
}

class Findings {
 public:
  void client(const char* code, std::string text) {
    out_.findings.push_back({Finding::Kind::client, code, std::move(text)});
  }
  void surroundings(const char* code, std::string text) {
    out_.findings.push_back({Finding::Kind::surroundings, code, std::move(text)});
  }
  void warn(std::string text) { out_.warnings.push_back(std::move(text)); }
  [[nodiscard]] SelfCheck take() { return std::move(out_); }

 private:
  SelfCheck out_;
};

void look_at_lag(const SelfCheckFacts& facts, Findings& out) {
  if (facts.start_lag_count >= kLagSamplesMin && facts.start_lag_p99_us > kStartLagMaxUs) {
    out.client("start_lag",
               fmt::format("The client was late: start lag p99 {:.1f} ms, allowed are {:.1f} ms; "
                           "it worked {:.0f} % of the time and waited {:.0f} % of it for a "
                           "processor.",
                           ms(facts.start_lag_p99_us), ms(kStartLagMaxUs), 100 * facts.cpu_share,
                           100 * facts.cpu_wait_share));
  }
  const auto& taken = facts.loop.take_over;
  const auto late_us = taken.quantile_us(0.99);
  if (taken.count() >= kLagSamplesMin && late_us > kStartLagMaxUs) {
    out.client(
        "take_over_lag",
        fmt::format("The client saw its arrivals late: p99 {:.1f} ms, allowed are {:.1f} ms.",
                    ms(late_us), ms(kStartLagMaxUs)));
  }
}

void look_at_loop(const SelfCheckFacts& facts, Findings& out) {
  const auto& loop = facts.loop;
  if (facts.cpu_share > kClientCpuMax) {
    out.client("cpu",
               fmt::format("The client was busy: {:.0f} % of its core, allowed are {:.0f} %.",
                           facts.cpu_share * 100, kClientCpuMax * 100));
  }
  const double threads = static_cast<double>(std::max<std::int64_t>(1, loop.threads));
  const double stalled =
      share(static_cast<double>(loop.stalled_us) * 1e-6, facts.measured_s * threads);
  if (stalled > kStallShareMax) {
    out.client(
        "stalls",
        fmt::format("The client stalled {} times, {:.1f} % of the time, the longest {:.0f} "
                    "ms; allowed is {:.0f} %.",
                    loop.stalls, 100 * stalled, ms(loop.longest_stall_us), 100 * kStallShareMax));
  }
  if (loop.longest_stall_us > kStoodStillUs) {
    out.client("stood_still",
               fmt::format("The client stood still for {:.0f} ms, allowed are {:.0f} ms: it was "
                           "stopped, or had no processor.",
                           ms(loop.longest_stall_us), ms(kStoodStillUs)));
  }
  if (loop.suspended_s > kSuspendedMaxS) {
    out.client("suspended",
               fmt::format("The machine was suspended for {:.1f} s.", loop.suspended_s));
  }
  if (loop.clock_step_s > kClockStepMaxS) {
    out.client("clock", fmt::format("The wall clock jumped by {:.0f} ms, allowed are {:.0f} ms.",
                                    1000 * loop.clock_step_s, 1000 * kClockStepMaxS));
  }
}

void look_at_arrivals(const SelfCheckFacts& facts, Findings& out) {
  if (facts.empty > 0 && facts.empty == facts.offered) {
    out.surroundings("empty", fmt::format("All {} operations skipped each of their steps: nothing "
                                          "was sent to the server.",
                                          facts.offered));
  }
  if (facts.planned) {
    const double off = std::abs(static_cast<double>(facts.offered) - *facts.planned);
    if (off > kArrivalsOffMax * *facts.planned && off > 5 * std::sqrt(*facts.planned)) {
      out.client("arrivals", fmt::format("The arrivals are not the plan's: {} instead of {:.0f}.",
                                         facts.offered, *facts.planned));
    }
  }
  const auto blocks = facts.loop.gaps.blocks();
  const double distance = facts.loop.gaps.distance();
  if (!facts.poisson || blocks < kGapBlocksMin) return;
  const double allowed = std::max(kGapDistanceMax, 2.5 / std::sqrt(static_cast<double>(blocks)));
  if (distance > allowed) {
    out.client("gaps", fmt::format("The gaps between the arrivals are not the plan's: distance "
                                   "{:.2f} over {} blocks, allowed is {:.2f}.",
                                   distance, blocks, allowed));
  }
}

void look_at_host(const SelfCheckFacts& facts, Findings& out) {
  const auto& host = facts.host;
  if (host.steal_share && *host.steal_share > kStealMax && host.steal_s > kStealMinS) {
    out.client("steal", fmt::format("The hypervisor took {:.1f} % of the host's processor time "
                                    "({:.2f} s), allowed are {:.0f} %.",
                                    100 * *host.steal_share, host.steal_s, 100 * kStealMax));
  }
  if (host.throttled.value_or(0) == 0) return;
  const auto text = fmt::format("The client's cgroup was throttled {} times, {:.2f} s of {:.1f} s",
                                *host.throttled, host.throttled_s, host.elapsed_s);
  if (share(host.throttled_s, host.elapsed_s) > kThrottledMax) {
    out.client("throttled", fmt::format("{}, allowed is {:.0f} %.", text, 100 * kThrottledMax));
  } else {
    out.warn(text + ".");
  }
}

void look_at_connections(const SelfCheckFacts& facts, Findings& out) {
  const double planned_s = static_cast<double>(facts.connections) * facts.measured_s;
  const double missing = share(facts.loop.missing_connection_s, planned_s);
  if (missing <= kMissingMax || facts.timeouts > 0) return;
  out.client("connections",
             fmt::format("Connections were below the plan: {:.1f} of {} were missing on average, "
                         "without an outage of the server.",
                         missing * static_cast<double>(facts.connections), facts.connections));
}

void look_at_server(const SelfCheckFacts& facts, Findings& out) {
  const auto& server = facts.server;
  if (!server.changed_settings.empty()) {
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamesMax, server.changed_settings.size()); ++i) {
      names += (i > 0 ? ", " : "") + server.changed_settings[i];
    }
    out.surroundings("settings",
                     fmt::format("{} settings of the server changed during the run: {}{}.",
                                 server.changed_settings.size(), names,
                                 server.changed_settings.size() > kNamesMax ? ", ..." : ""));
  } else if (server.reloaded && !server.restarted) {
    out.warn("The server read its configuration again during the run; no setting changed.");
  }
  if (server.restarted) {
    out.warn("The server was restarted during the run: what it counts began at 0 again.");
  }
  const bool many = share(server.other_transactions, server.elapsed_s) > kOthersMinPerS &&
                    server.other_transactions > kOthersMax * server.own_transactions;
  const bool heavy = share(server.other_active_s, server.elapsed_s) > kOthersActiveMin &&
                     server.other_active_s > kOthersMax * server.own_active_s;
  if (many || heavy) {
    out.surroundings(
        "other_databases",
        fmt::format(
            "Other databases of the server were in use: {:.0f} transactions and {:.1f} s at "
            "work beside our {:.0f} and {:.1f} s.",
            server.other_transactions, server.other_active_s, server.own_transactions,
            server.own_active_s));
  }
  const auto& others = facts.surroundings;
  if (others.looks_with_work >= kOthersLooksMin && others.work_share() >= kOthersBusyMin) {
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamesMax, others.others.size()); ++i) {
      const auto& name = others.others[i].name;
      names += (i > 0 ? ", " : "") + (name.empty() ? "without a name" : name);
    }
    out.surroundings(
        "other_sessions",
        fmt::format("Other sessions of this database were at work in {:.0f} % of the "
                    "looks, allowed are {:.0f} %: at most {} at a time ({}).",
                    100 * others.work_share(), 100 * kOthersBusyMin, others.others_most, names));
  }
  if (server.statements_evicted > 0) {
    out.warn(fmt::format(
        "pg_stat_statements evicted statements {:.0f} times: the list of statements is not whole.",
        server.statements_evicted));
  }
}

}  // namespace

SelfCheck check_self(const SelfCheckFacts& facts) {
  Findings out;
  look_at_lag(facts, out);
  look_at_loop(facts, out);
  look_at_arrivals(facts, out);
  look_at_host(facts, out);
  look_at_connections(facts, out);
  look_at_server(facts, out);
  return out.take();
}

SelfCheckFacts self_check_facts(const LoadResult& result) {
  const auto& client = result.totals.client;
  SelfCheckFacts out;
  out.measured_s = client.measured_s;
  if (result.options.rate_per_s && !result.stopped) {
    out.planned = *result.options.rate_per_s * client.measured_s;
    out.poisson = result.options.arrivals == Arrivals::poisson;
  }
  out.offered = result.offered();
  out.empty = result.empty();
  out.cpu_share = std::max(
      client.loop.busiest_cpu_share,
      share(client.cpu_s, client.measured_s *
                              static_cast<double>(std::max<std::int64_t>(1, client.loop.threads))));
  out.cpu_wait_share = share(client.cpu_wait_s, client.measured_s);
  out.start_lag_count = client.start_lag.count();
  out.start_lag_p99_us = client.start_lag.quantile_us(0.99);
  out.connections = result.options.connections;
  if (const auto found = result.totals.errors.find("timeout");
      found != result.totals.errors.end()) {
    out.timeouts = found->second.count;
  }
  out.loop = client.loop;
  out.host = result.evidence.host;
  out.server = result.evidence.server;
  // The server publishes nothing for a transaction that touched no table; we know what we did.
  out.server.own_transactions =
      std::max(out.server.own_transactions,
               static_cast<double>(result.offered() - result.empty() - result.not_started()));
  out.surroundings = result.evidence.surroundings;
  return out;
}

}  // namespace pantryd::loadgen
