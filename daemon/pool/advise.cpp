// No state: figures in, sentences out.
#include "pool/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pantryd::pool {
namespace {

/// Square-root staffing: L + beta * sqrt(L) servers for an offered load of L. For large L and beta
/// = 2 about 3 % of Poisson arrivals wait: 1 / (1 + beta * Phi(beta) / phi(beta)) = 0.027. Source:
/// S. Halfin, W. Whitt, "Heavy-Traffic Limits for Queues with Many Exponential Servers", Operations
/// Research 29(3), 1981.
constexpr double kBeta = 2.0;

/// Sessions that a server works on with gain: two a core, and one for the disk.
/// Source: PostgreSQL wiki, "Number Of Database Connections".
constexpr std::int32_t kBusyPerCore = 2;
constexpr std::int32_t kBusyForDisk = 1;

std::int32_t to_count(double value) {
  return static_cast<std::int32_t>(
      std::clamp(value, 0.0, static_cast<double>(std::numeric_limits<std::int32_t>::max())));
}

/// "1 connection", "5 connections".
std::string connections(std::int32_t count) {
  return fmt::format("{} connection{}", count, count == 1 ? "" : "s");
}

std::string milliseconds(double seconds) {
  const double ms = seconds * 1e3;
  return fmt::format("{:.{}f} ms", ms, ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

std::string rate(double per_s) {
  return fmt::format("{:.{}f}", per_s, per_s < 10 ? 2 : per_s < 100 ? 1 : 0);
}

/// 0.02, 0.35, 1.4, 25.
std::string amount(double value) {
  return fmt::format("{:.{}f}", value, value < 1 ? 2 : value < 100 ? 1 : 0);
}

/// The share of Poisson arrivals that have to wait when `servers` carry a load of `offered`, which
/// is less: Erlang's C, from his B by its recursion.
double share_that_waits(std::int32_t servers, double offered) {
  double lost = 1;
  for (std::int32_t n = 1; n <= servers; ++n) lost = offered * lost / (n + offered * lost);
  return lost / (1 - offered / servers * (1 - lost));
}

bool sensible(const Demand& demand) {
  return std::isfinite(demand.arrivals_per_s) && demand.arrivals_per_s > 0 &&
         std::isfinite(demand.hold_s) && demand.hold_s > 0 && std::isfinite(demand.busy_s) &&
         demand.busy_s >= 0;
}

std::string each(const AdviceInputs& inputs) {
  return inputs.pools == 1 ? "" : fmt::format(", shared by {} pools", inputs.pools);
}

void count_slots(const AdviceInputs& in, Advice& out) {
  const std::int32_t reserved = in.superuser_reserved_connections + in.reserved_connections;
  const std::int32_t open = std::max(0, in.max_connections - reserved);
  const std::int32_t left = std::max(0, open - in.others_now);
  out.slots = left / in.pools;
  out.reasons.push_back(
      fmt::format("The server lets in {} (max_connections) less {} reserved less {} of others now "
                  "= {}{}: {} a pool.",
                  in.max_connections, reserved, in.others_now, left, each(in), out.slots));
  if (out.slots == 0) {
    out.warnings.emplace_back(
        "The server has no slot left for these pools: raise max_connections, close sessions of "
        "others, or put PgBouncer in between.");
  }
  if (!in.configured_max) return;
  const std::int64_t wanted = static_cast<std::int64_t>(*in.configured_max) * in.pools;
  out.cannot_fit = wanted > open;
  if (wanted <= left) return;
  out.warnings.push_back(fmt::format(
      "pool.max {} x {} pool{} = {} exceeds the {} slots that are {}: the last ones would be "
      "refused with too_many_clients.",
      *in.configured_max, in.pools, in.pools == 1 ? "" : "s", wanted, out.cannot_fit ? open : left,
      out.cannot_fit ? "there at all" : "left beside others now"));
}

/// Of the time that a connection is held, the share in which the server works. 1 when unknown: then
/// a pool may be as large as the knee, and no larger.
double busy_share(const std::optional<Demand>& demand) {
  if (!demand || demand->busy_s <= 0) return 1;
  return std::min(1.0, demand->busy_s / demand->hold_s);
}

/// 0: unknown.
std::int32_t known_cores(const AdviceInputs& in) {
  return in.cores && *in.cores > 0 ? *in.cores : 0;
}

void find_knee(const AdviceInputs& in, const std::optional<Demand>& demand, Advice& out) {
  const std::int32_t cores = known_cores(in);
  if (cores == 0) {
    out.reasons.emplace_back(
        "How many cores the server has is unknown, so what it can work on at a time is not part of "
        "this: give --server-cores.");
    return;
  }
  const std::int32_t busy = kBusyPerCore * cores + kBusyForDisk;
  const double share = busy_share(demand);
  const double all = busy / share;
  out.knee = std::max(1, to_count(std::floor(all / in.pools + 1e-9)));
  out.reasons.push_back(fmt::format(
      "With {} core{} the server gains from up to {} sessions that work at a time (2 x cores + 1); "
      "a connection works {:.0f} % of the time it is held, so {}{}: {} a pool.",
      cores, cores == 1 ? "" : "s", busy, share * 100,
      connections(to_count(std::floor(all + 1e-9))), each(in), *out.knee));
}

void weigh_demand(const AdviceInputs& in, const Demand& demand, Advice& out) {
  const double all = demand.arrivals_per_s * demand.hold_s;
  const double own = all / in.pools;
  out.concurrency = own;
  const std::int32_t need = std::max(1, to_count(std::ceil(own + kBeta * std::sqrt(own) - 1e-9)));
  out.reasons.push_back(fmt::format(
      "Little's law: {} transactions a second x {} held = {} connections in use on average{}{}.",
      rate(demand.arrivals_per_s), milliseconds(demand.hold_s), amount(all), each(in),
      in.pools == 1 ? "" : fmt::format(": {} a pool", amount(own))));
  constexpr std::int32_t kCountedMost = 100'000;  // beyond it no server could follow
  const std::string waits =
      need > kCountedMost || own >= need
          ? ""
          : fmt::format(", with which {:.0f} % of borrowers wait (Erlang's C)",
                        share_that_waits(need, own) * 100);
  out.reasons.push_back(
      fmt::format("Arrivals vary: {} + 2 x sqrt({}) = {}{}; square-root staffing.", amount(own),
                  amount(own), connections(need), waits));
  std::int32_t max = need;
  out.binds = Binding::demand;
  if (out.knee && *out.knee < max) {
    max = *out.knee;
    out.binds = Binding::knee;
  }
  if (out.slots < max) {
    max = out.slots;
    out.binds = Binding::slots;
  }
  if (max >= 1) {
    out.max = max;
    out.min = std::clamp(to_count(std::ceil(own - 1e-9)), 1, max);
  }
}

void say_what_binds(const AdviceInputs& in, const Demand& demand, Advice& out) {
  const double busy = demand.arrivals_per_s * std::min(demand.busy_s, demand.hold_s);
  const std::int32_t cores = known_cores(in);
  if (cores > 0 && busy > cores) {
    out.warnings.push_back(fmt::format(
        "{} sessions work at a time on {} core{}: what does not wait for disk or locks already "
        "queues for a core, and more connections only move the queue into the server.",
        amount(busy), cores, cores == 1 ? "" : "s"));
  }
  switch (out.binds) {
    case Binding::knee:
      out.reasons.emplace_back(
          "What the server can work on binds: further borrowers wait less in the pool's queue than "
          "they would inside the server.");
      break;
    case Binding::slots:
      out.reasons.emplace_back("The slots bind: the load would use more than the server has left.");
      out.warnings.emplace_back(
          "The load needs more connections than the server has left: shorten what holds them, or "
          "raise max_connections, if the cores can carry it.");
      break;
    case Binding::demand:
      out.reasons.emplace_back(
          "The load binds. Measure at the busiest hour, for that one decides.");
      break;
    case Binding::none:
      break;
  }
}

}  // namespace

const char* to_string(Binding binding) {
  switch (binding) {
    case Binding::none:
      return "none";
    case Binding::demand:
      return "demand";
    case Binding::knee:
      return "knee";
    case Binding::slots:
      return "slots";
  }
  return "none";
}

Advice advise(const AdviceInputs& inputs) {
  AdviceInputs in = inputs;
  in.pools = std::max(1, in.pools);
  in.others_now = std::max(0, in.others_now);
  if (in.demand && !sensible(*in.demand)) in.demand.reset();
  Advice out;
  if (!in.demand) out.reasons.emplace_back("There is no load to measure, so no size is advised.");
  count_slots(in, out);
  find_knee(in, in.demand, out);
  if (in.demand) {
    weigh_demand(in, *in.demand, out);
    say_what_binds(in, *in.demand, out);
  }
  return out;
}

}  // namespace pantryd::pool
