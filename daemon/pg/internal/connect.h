// Private to pg/: from a Conninfo to a PGconn that is logged in, within one deadline.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pantryd::pg {

/// One address to try. `hostaddr` is empty for a Unix socket.
struct Endpoint {
  std::string host;
  std::string hostaddr;
  std::string port;
};

/// The hosts of a conninfo in order, each with all of its addresses. Names are resolved on a thread
/// of their own, because getaddrinfo(3) has no deadline. Throws PgError(unreachable, stopped).
[[nodiscard]] std::vector<Endpoint> resolve_endpoints(const Conninfo& where, Deadline deadline,
                                                      const StopFlag* stop);

struct OpenedSession {
  pg_conn* session;
  bool guarded;  ///< kWatchingAtStart went with the start-up packet
};

/// Logs in at the first endpoint that will have us; each gets an equal share of what is left of the
/// deadline, so that one black hole does not eat the turn of the next host.
[[nodiscard]] OpenedSession open_session(const Conninfo& where, Deadline deadline,
                                         const ConnectOptions& options);

/// What a failed start-up means. `text` is PQerrorMessage() at verbosity VERBOSE.
[[nodiscard]] PgError describe_connect_failure(const Conninfo& where, std::string_view text);

}  // namespace pantryd::pg
