// Invariant: a verdict is PASS only where every number that it needs was read; a missing one makes
// it INCONCLUSIVE, never zero.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "validate/claim.h"

namespace pantryd::loadgen {
namespace {

constexpr double kErrorShareMax = 0.001;
constexpr std::int64_t kSamplesForP99 = 100;

const ServerEvidence* primary_of(const Evidence& evidence) {
  for (const auto& server : evidence.servers) {
    if (server.up && !server.standby) return &server;
  }
  return nullptr;
}

std::string milliseconds_text(std::int64_t us) {
  const double ms = static_cast<double>(us) / 1000;
  return ms >= 1000 ? fmt::format("{:.2f} s", ms / 1000) : fmt::format("{:.1f} ms", ms);
}

std::string seconds_text(double seconds) {
  return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

/// What was merely unfinished when the run ended is overload, which throughput tells; it is no
/// error that a user saw.
double error_share(const LoadResult& load) {
  const auto offered = load.offered();
  auto errors = load.errors();
  const auto unfinished = load.totals.errors.find("unfinished");
  if (unfinished != load.totals.errors.end()) errors -= unfinished->second.count;
  return offered == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(offered);
}

/// Why the run says nothing about the server; empty when it does.
std::string client_problem(const LoadResult& load) {
  if (load.stopped) return "the run was ended early";
  if (load.verdict != Verdict::invalid) return {};
  return load.reasons.empty() ? "the client limited the run" : load.reasons.front();
}

void add_outages(const LoadResult& load, ClaimVerdict& out) {
  for (const auto& outage : load.totals.outages) {
    out.evidence.push_back(
        fmt::format("connections were lost at {:.1f} s{}: {} operations failed, {}", outage.from_s,
                    outage.to_s ? fmt::format(" and back at {:.1f} s", *outage.to_s) : "",
                    outage.operations_failed, outage.first_error));
  }
}

/// Work that was done late was done: the claim holds, but nobody shall think that users were happy.
void add_response_times(const LoadResult& load, ClaimVerdict& out) {
  Histogram all;
  std::int64_t worst_us = 0;
  std::string worst;
  for (const auto& operation : load.operations) {
    all.merge(operation.totals.response);
    const auto p99_us = operation.totals.response.quantile_us(0.99);
    if (p99_us <= worst_us) continue;
    worst_us = p99_us;
    worst = operation.name;
  }
  out.evidence.push_back(
      fmt::format("answered at that rate within p50 {}, p99 {}; the slowest is {} with p99 {}",
                  milliseconds_text(all.quantile_us(0.5)), milliseconds_text(all.quantile_us(0.99)),
                  worst, milliseconds_text(worst_us)));
}

void judge_throughput(const Evidence& evidence, ClaimVerdict& out) {
  if (!evidence.peak) {
    out.evidence.emplace_back("the load did not run");
    return;
  }
  const auto& load = *evidence.peak;
  const double done = load.completed_per_s();
  out.measured = fmt::format("{:.0f} TPS", done);
  out.evidence.push_back(
      fmt::format("{} offered at {:.0f}/s, {} done, {} errors, {} not started in {}",
                  format_count(load.offered()), out.claim.offered, format_count(load.completed()),
                  format_count(load.errors()), format_count(load.not_started()),
                  format_duration(load.options.duration)));
  add_response_times(load, out);
  add_outages(load, out);
  const bool reached = done >= out.claim.at_least && error_share(load) <= kErrorShareMax;
  const auto problem = client_problem(load);
  if (reached) {
    // The client's lateness adds to latencies, never to what was done.
    out.verdict = load.stopped ? Verdict::inconclusive : Verdict::pass;
  } else if (!problem.empty()) {
    out.verdict = load.stopped ? Verdict::inconclusive : Verdict::invalid;
    out.evidence.push_back(problem);
  } else {
    out.verdict = Verdict::fail;
  }
}

void judge_users(const Evidence& evidence, ClaimVerdict& out) {
  if (!evidence.peak) {
    out.evidence.emplace_back("the load did not run");
    return;
  }
  const auto& load = *evidence.peak;
  const auto users = std::max(load.options.users, load.options.connections);
  const double share = error_share(load);
  out.measured = fmt::format("{} users, {:.2f} % errors", users, share * 100);
  out.evidence.push_back(fmt::format(
      "{} users over {} connections that stood at once; at most {} operations at a time", users,
      load.options.connections, load.totals.users_peak));
  for (const auto& [code, error] : load.totals.errors) {
    out.evidence.push_back(fmt::format("{} x {}: {}", error.count, code, error.first_message));
  }
  add_outages(load, out);
  if (load.stopped || load.completed() == 0) {
    out.verdict = load.stopped ? Verdict::inconclusive : Verdict::fail;
    return;
  }
  const bool enough = static_cast<double>(users) >= out.claim.at_least &&
                      static_cast<double>(load.options.connections) >= out.claim.at_least;
  if (share > kErrorShareMax) {
    out.verdict = Verdict::fail;
  } else {
    out.verdict = enough ? Verdict::pass : Verdict::inconclusive;
  }
}

void judge_latency(const Evidence& evidence, ClaimVerdict& out) {
  if (!evidence.paced) {
    out.evidence.emplace_back("the load did not run");
    return;
  }
  const auto& load = *evidence.paced;
  const auto limit_us =
      std::chrono::duration_cast<std::chrono::microseconds>(out.claim.limit).count();
  std::int64_t worst_us = -1;
  std::string worst;
  bool missed = false;
  bool unseen = false;
  for (const auto& operation : load.operations) {
    const auto& response = operation.totals.response;
    const auto& totals = operation.totals;
    unseen = unseen || response.count() == 0;
    // With few samples the highest of them stands for the percentile.
    const auto tail_us =
        response.count() >= kSamplesForP99 ? response.quantile_us(0.99) : response.max_us();
    missed = missed || tail_us >= limit_us || totals.errors + totals.not_started > 0;
    if (tail_us > worst_us) {
      worst_us = tail_us;
      worst = operation.name;
    }
    out.evidence.push_back(fmt::format(
        "{:<17} p50 {:>9}  p95 {:>9}  p99 {:>9}  max {:>9}  of {}{}", operation.name,
        milliseconds_text(response.quantile_us(0.5)), milliseconds_text(response.quantile_us(0.95)),
        milliseconds_text(response.quantile_us(0.99)), milliseconds_text(response.max_us()),
        response.count(),
        totals.errors + totals.not_started > 0
            ? fmt::format(", {} errors, {} not started", totals.errors, totals.not_started)
            : ""));
  }
  out.measured = fmt::format("worst p99 {} ({})", milliseconds_text(worst_us), worst);
  if (const auto& data = load.dataset) {
    // A number without the size of the data behind it says nothing of a larger shop.
    out.measured += fmt::format(" at {} products", format_count(data->products));
    out.evidence.push_back(fmt::format("at {} products and {} sales, {:.0f} users in a closed loop",
                                       format_count(data->products), format_count(data->sales),
                                       out.claim.users));
  }
  const auto problem = client_problem(load);
  if (!missed && !unseen) {
    out.verdict = load.stopped ? Verdict::inconclusive : Verdict::pass;
  } else if (!problem.empty()) {
    out.verdict = load.stopped ? Verdict::inconclusive : Verdict::invalid;
    out.evidence.push_back(problem);
  } else {
    out.verdict = missed ? Verdict::fail : Verdict::inconclusive;
  }
}

/// Only dumps decide: a base backup of any age belongs to the claim about recovery.
void judge_backups(const Evidence& evidence, ClaimVerdict& out) {
  bool seen = false;
  bool bad = false;
  bool unreadable = false;
  std::optional<double> oldest_s;  // of the newest dump of each folder
  for (const auto& server : evidence.servers) {
    for (const auto& metric : server.metrics) {
      if (metric.name != "pantryd_backup_readable" || metric.labels.at("kind") != "pg_dump") {
        continue;
      }
      const auto of = [&](const std::string& name) -> std::optional<double> {
        for (const auto& other : server.metrics) {
          if (other.name == name && other.labels == metric.labels) return other.value;
        }
        return std::nullopt;
      };
      const auto label = metric.labels.at("name") + " (" + metric.labels.at("kind") + ")";
      if (metric.value == 0) {
        unreadable = true;
        out.evidence.push_back(fmt::format("{}: the folder could not be looked at", label));
        continue;
      }
      seen = true;
      const auto age = of("pantryd_backup_age_seconds");
      const auto limit = of("pantryd_backup_age_limit_seconds");
      const bool failed = of("pantryd_backup_newest_failed").value_or(0) != 0;
      const bool late = !age || !limit || *age > *limit;
      bad = bad || late || failed;
      if (age) oldest_s = std::max(*age, oldest_s.value_or(0));
      out.evidence.push_back(
          fmt::format("{}: age {}, limit {}, {}", label, age ? seconds_text(*age) : "none",
                      seconds_text(limit.value_or(0)),
                      failed ? "the newest attempt failed" : "the newest attempt is complete"));
    }
  }
  if (seen) out.measured = "newest dump: " + (oldest_s ? seconds_text(*oldest_s) : "none");
  if (!seen && !unreadable) {
    out.evidence.emplace_back("no folder of dumps is configured: could not look");
  } else if (bad) {
    out.verdict = Verdict::fail;
  } else {
    out.verdict = unreadable ? Verdict::inconclusive : Verdict::pass;
  }
}

void judge_replication(const Evidence& evidence, ClaimVerdict& out) {
  const auto* primary = primary_of(evidence);
  const auto standbys =
      primary != nullptr ? primary->value("pantryd_replication_standbys") : std::nullopt;
  if (!standbys) {
    out.evidence.emplace_back("could not ask a primary for its standbys");
    return;
  }
  double lag_bytes = 0;
  for (const auto& metric : primary->metrics) {
    if (metric.name == "pantryd_replication_total_bytes") {
      lag_bytes = std::max(lag_bytes, metric.value);
    }
  }
  out.measured = fmt::format("{:.0f} standby, {} behind", *standbys,
                             format_bytes(static_cast<std::int64_t>(lag_bytes)));
  out.evidence.push_back(
      fmt::format("{:.0f} standby streams from {}; after the load it is {} "
                  "behind, limit {}",
                  *standbys, primary->name, format_bytes(static_cast<std::int64_t>(lag_bytes)),
                  format_bytes(out.claim.lag_limit_bytes)));
  bool receiving = true;
  for (const auto& server : evidence.servers) {
    if (!server.up) {
      receiving = false;
      out.evidence.push_back(fmt::format("{} is down: {}", server.name, server.problem));
    } else if (server.standby) {
      const bool streams = server.value("pantryd_standby_receiver_streaming").value_or(0) != 0;
      receiving = receiving && streams;
      out.evidence.push_back(
          fmt::format("{} {}", server.name, streams ? "receives" : "does not receive"));
    }
  }
  const bool held =
      *standbys >= 1 && receiving && lag_bytes <= static_cast<double>(out.claim.lag_limit_bytes);
  out.verdict = held ? Verdict::pass : Verdict::fail;
}

void judge_archive(const Evidence& evidence, ClaimVerdict& out) {
  const auto* primary = primary_of(evidence);
  const auto enabled =
      primary != nullptr ? primary->value("pantryd_archive_enabled") : std::nullopt;
  if (!enabled) {
    out.evidence.emplace_back("could not ask a primary about its archive");
    return;
  }
  const auto ready = primary->value("pantryd_archive_ready_segments");
  const auto waits = primary->value("pantryd_archive_oldest_ready_seconds");
  const auto failing = primary->value("pantryd_archive_failing");
  const auto ever = primary->value("pantryd_archive_last_archived_timestamp_seconds");
  if (!ready || !waits || !failing) {
    out.evidence.emplace_back("the archiver's numbers are not readable for this role");
    return;
  }
  out.measured = fmt::format("{:.0f} segments wait, longest {:.0f} s", *ready, *waits);
  out.evidence.push_back(fmt::format(
      "archiving is {}, the last attempt {}, {} was archived so far", *enabled != 0 ? "on" : "off",
      *failing != 0 ? "failed" : "succeeded", ever ? "something" : "nothing"));
  bool base_good = false;
  bool base_seen = false;
  for (const auto& metric : primary->metrics) {
    if (metric.name != "pantryd_backup_count" || metric.labels.at("kind") != "base") continue;
    base_seen = true;
    base_good = base_good || metric.value > 0;
  }
  out.evidence.emplace_back(base_good   ? "a complete base backup is there to start from"
                            : base_seen ? "there is no complete base backup to start from"
                                        : "no folder of base backups is configured");
  out.evidence.emplace_back("a recovery was NOT TESTED");
  const double limit_s = std::chrono::duration<double>(out.claim.wait_limit).count();
  const bool works = *enabled != 0 && *failing == 0 && ever && *waits <= limit_s;
  if (!works || (base_seen && !base_good)) {
    out.verdict = Verdict::fail;
  } else {
    out.verdict = base_good ? Verdict::pass : Verdict::inconclusive;
  }
}

void judge_durability(const Evidence& evidence, ClaimVerdict& out) {
  const auto* primary = primary_of(evidence);
  bool all = true;
  for (const char* name : {"fsync", "synchronous_commit", "full_page_writes"}) {
    const auto value =
        primary != nullptr ? primary->value(std::string("pg_settings_") + name) : std::nullopt;
    if (!value) {
      out.evidence.emplace_back(std::string("could not read ") + name);
      out.measured.clear();
      return;
    }
    all = all && *value != 0;
    out.measured +=
        fmt::format("{}{} {}", out.measured.empty() ? "" : ", ", name, *value != 0 ? "on" : "off");
  }
  out.evidence.emplace_back("as the server runs them now; a power cut was NOT TESTED");
  out.verdict = all ? Verdict::pass : Verdict::fail;
}

}  // namespace

std::optional<double> ServerEvidence::value(const std::string& metric) const {
  for (const auto& each : metrics) {
    if (each.name == metric) return each.value;
  }
  return std::nullopt;
}

std::vector<ClaimVerdict> judge_claims(const std::vector<Claim>& claims, const Evidence& evidence) {
  std::vector<ClaimVerdict> out;
  for (const auto& claim : claims) {
    ClaimVerdict verdict;
    verdict.claim = claim;
    switch (claim.check) {
      case Check::throughput:
        judge_throughput(evidence, verdict);
        break;
      case Check::users:
        judge_users(evidence, verdict);
        break;
      case Check::latency:
        judge_latency(evidence, verdict);
        break;
      case Check::backups:
        judge_backups(evidence, verdict);
        break;
      case Check::replication:
        judge_replication(evidence, verdict);
        break;
      case Check::archive:
        judge_archive(evidence, verdict);
        break;
      case Check::durability:
        judge_durability(evidence, verdict);
        break;
    }
    if (verdict.measured.empty()) verdict.measured = "not measured";
    out.push_back(std::move(verdict));
  }
  return out;
}

}  // namespace pantryd::loadgen
