// No state: looks are values.
#include "pool/demand.h"

#include <fmt/format.h>

namespace pantryd::pool {
namespace {

/// Fewer say nothing: of n Poisson arrivals the rate is known to one part in sqrt(n).
constexpr double kTransactionsLeast = 20;

constexpr const char* kLook =
    "SELECT extract(epoch FROM clock_timestamp())::float8 AS at,"
    " (xact_commit + xact_rollback)::float8 AS transactions,"
    " active_time / 1000 AS active, idle_in_transaction_time / 1000 AS idle_in_transaction,"
    " session_time / 1000 AS session, extract(epoch FROM stats_reset)::float8 AS since"
    " FROM pg_stat_database WHERE datname = current_database()";

// numbackends and not pg_stat_activity, which hides other roles' sessions from a role without
// pg_monitor. Parallel workers are in it: it errs on the side of fewer slots.
constexpr const char* kRoom =
    "SELECT current_setting('max_connections')::int,"
    " current_setting('superuser_reserved_connections')::int,"
    " coalesce(current_setting('reserved_connections', true)::int, 0),"
    " coalesce(sum(numbackends) FILTER (WHERE datname <> current_database()), 0)::int + 1,"
    " greatest(coalesce(sum(numbackends) FILTER (WHERE datname = current_database()), 0) - 1, 0)"
    "::int FROM pg_stat_database";

DemandWindow measure(double span_s, double transactions, double active_s, double idle_s) {
  DemandWindow out;
  out.span_s = span_s;
  out.transactions = transactions;
  if (transactions < 0 || active_s < 0 || idle_s < 0 || span_s <= 0) {
    out.transactions = 0;
    out.why_not = "the statistics were reset meanwhile";
  } else if (transactions < 1) {
    out.why_not = "there is no load to measure";
  } else if (transactions < kTransactionsLeast) {
    out.why_not =
        fmt::format("there is no load to measure: {:.0f} transactions are too few", transactions);
  } else if (active_s + idle_s <= 0) {
    out.why_not = "the server does not measure its sessions (track_activities is off)";
  } else {
    out.demand =
        Demand{transactions / span_s, (active_s + idle_s) / transactions, active_s / transactions};
  }
  return out;
}

}  // namespace

DemandLook look_at_demand(pg::Connection& connection, Deadline deadline) {
  const auto row = connection.exec(kLook, deadline);
  DemandLook out;
  out.at_s = row.f64(0, 0);
  out.transactions = row.f64(0, 1);
  out.active_s = row.f64(0, 2);
  out.idle_in_transaction_s = row.f64(0, 3);
  out.session_s = row.f64(0, 4);
  out.since_s = row.maybe_f64(0, 5);
  return out;
}

ServerRoom look_at_room(pg::Connection& connection, Deadline deadline) {
  const auto row = connection.exec(kRoom, deadline);
  const auto count = [&](int column) { return static_cast<std::int32_t>(row.i64(0, column)); };
  return {count(0), count(1), count(2), count(3), count(4)};
}

DemandWindow between(const DemandLook& first, const DemandLook& second, double own) {
  auto out = measure(second.at_s - first.at_s,
                     std::max(second.transactions - first.transactions - own,
                              std::min(0.0, second.transactions - first.transactions)),
                     second.active_s - first.active_s,
                     second.idle_in_transaction_s - first.idle_in_transaction_s);
  out.session_s = second.session_s - first.session_s;
  return out;
}

DemandWindow since_reset(const DemandLook& look) {
  if (!look.since_s) {
    DemandWindow out;
    out.transactions = look.transactions;
    out.why_not = "never, so they give no rate";
    if (look.transactions >= kTransactionsLeast) {
      out.why_not += fmt::format(
          "; {:.0f} transactions, each {:.1f} ms from its first statement to its end, {:.1f} ms of "
          "it at work",
          look.transactions, (look.active_s + look.idle_in_transaction_s) / look.transactions * 1e3,
          look.active_s / look.transactions * 1e3);
    }
    return out;
  }
  auto out = measure(look.at_s - *look.since_s, look.transactions, look.active_s,
                     look.idle_in_transaction_s);
  out.session_s = look.session_s;
  return out;
}

const DemandWindow* busier(const DemandWindow& a, const DemandWindow& b) {
  const auto used = [](const DemandWindow& window) {
    return window.demand ? window.demand->arrivals_per_s * window.demand->hold_s : -1.0;
  };
  if (!a.demand && !b.demand) return nullptr;
  return used(a) >= used(b) ? &a : &b;
}

}  // namespace pantryd::pool
