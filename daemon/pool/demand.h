// The load of a database as its own statistics tell it: two looks at pg_stat_database and what lies
// between them.
//
// Sources: PostgreSQL manual, pg_stat_database (active_time, idle_in_transaction_time and
// session_time: 14 and later). A session reports at the end of a transaction, at most once a
// second, so a window of less than a few seconds tells little, and a transaction that is longer
// than the window is not in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "pg/connection.h"
#include "pool/advise.h"

namespace pantryd::pool {

/// What the server says at one moment, of the database that we are connected to.
struct DemandLook {
  double at_s = 0;          ///< the server's clock
  double transactions = 0;  ///< committed and rolled back
  double active_s = 0;
  double idle_in_transaction_s = 0;
  double session_s = 0;
  std::optional<double> since_s;  ///< stats_reset, the server's clock; nothing: never reset
};

/// What the server lets in. Connections that are not of this database count as others, and so does
/// the one that asks.
struct ServerRoom {
  std::int32_t max_connections = 0;
  std::int32_t superuser_reserved_connections = 0;
  std::int32_t reserved_connections = 0;
  std::int32_t others_now = 0;
  std::int32_t here_now = 0;  ///< of this database, less the one that asks
};

/// A span of time and what happened in it.
struct DemandWindow {
  double span_s = 0;
  double transactions = 0;
  double session_s = 0;
  std::optional<Demand> demand;  ///< nothing: too little to measure, and `why_not` says why
  std::string why_not;           ///< a part of a sentence
};

/// Throw PgError.
[[nodiscard]] DemandLook look_at_demand(pg::Connection& connection, Deadline deadline);
[[nodiscard]] ServerRoom look_at_room(pg::Connection& connection, Deadline deadline);

/// `own`: transactions of the looker itself, which are no load.
[[nodiscard]] DemandWindow between(const DemandLook& first, const DemandLook& second, double own);
/// The average since stats_reset.
[[nodiscard]] DemandWindow since_reset(const DemandLook& look);

/// The one with more connections in use: the busier time decides. Nothing when neither has a load.
[[nodiscard]] const DemandWindow* busier(const DemandWindow& a, const DemandWindow& b);

}  // namespace pantryd::pool
