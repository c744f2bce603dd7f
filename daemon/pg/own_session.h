// Whether the session that runs our statements is ours alone. Through a connection pooler it may be
// lent to others between two of our transactions, and a lock or a setting of it with it.
#pragma once

#include <string>

#include "base/deadline.h"

namespace pantryd::pg {

class Connection;

struct SessionFound {
  int pid = 0;  ///< of the server process behind the connection, which may not be backend_pid()
  std::string lent;  ///< why the session is not ours, or may not be; empty: it is
};

/// A direct connection, and a pooler that gives each client a session (PgBouncer: pool_mode =
/// session), keep their server process as long as they live. Behind a pooler that is proved with a
/// few short connections more. Looks up no name outside of pg_catalog and changes no session.
/// Throws PgError when the connection itself fails.
[[nodiscard]] SessionFound find_session(Connection& connection, Deadline deadline);

}  // namespace pantryd::pg
