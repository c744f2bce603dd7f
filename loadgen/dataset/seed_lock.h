// One seed a database, also when the one before it was killed and the server has not noticed yet.
#pragma once

#include "base/stop.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// For as long as the session lives. Throws Error(ExitCode::lock) when another seed holds it, after
/// a few seconds in which the server may notice that its client died.
void lock_seed(pg::Connection& connection, const StopFlag* stop);

/// For the sessions that copy and build.
void lock_as_worker(pg::Connection& connection);

/// Ends the workers of a seed that was killed, which may still copy or build an index, and waits
/// until what they did is either committed or not. Call it with the seed's lock held, before the
/// ledger is read. Throws Error(ExitCode::lock) when they do not end.
void end_orphans(pg::Connection& connection, const StopFlag* stop);

}  // namespace pantryd::loadgen
