// Whether the session that runs our statements is ours alone. Through a connection pooler it may be
// lent to others between two of our transactions, and a lock or a setting of it with it.
#pragma once

#include "pg/connection.h"

namespace pantryd::migrate {

/// The pid of the server process behind `connection`, which keeps it as long as it lives: a direct
/// connection, or a pooler that gives each client a session (PgBouncer: pool_mode = session), which
/// is proved with a few short connections more. Throws Error(failed) when it is not ours, and when
/// that could not be proved.
[[nodiscard]] int require_own_session(pg::Connection& connection);

}  // namespace pantryd::migrate
