// Private to the runner: attempts at a lock, with the blocker named in each message.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "migrate/run/execute.h"

namespace pantryd::migrate {

/// Where in the files we are, for messages.
struct Place {
  std::string name;
  int line = 0;  ///< 0: not in a statement yet
  [[nodiscard]] std::string text() const;
};

using TryOnce = std::function<void(std::chrono::milliseconds lock_timeout, int attempt)>;
using PlaceName = std::function<std::string()>;

/// Calls `attempt` until it does not throw for a lock, a deadlock or a serialization failure; the
/// connection is idle before each. `place` is asked for the name that messages begin with. Returns
/// the attempts it took. Throws Error(lock) when the budget is spent, and what else `attempt`
/// threw.
int retry_for_locks(Session& session, std::chrono::milliseconds lock_timeout_max,
                    const PlaceName& place, const TryOnce& attempt);

/// The same for a statement of a file: what else `attempt` threw gets file and line in front.
int with_retries(Session& session, const Place& place, std::chrono::milliseconds lock_timeout_max,
                 const TryOnce& attempt);

/// True when the server does not run the statement in a transaction block.
[[nodiscard]] bool refuses_transaction(const pg::PgError& error);

/// Looks for blockers soon enough to see them before the lock timeout.
void watch_for_lock(Session& session, std::chrono::milliseconds lock_timeout);

/// Runs one statement under watch.
void run_statement(Session& session, const SqlStatement& statement,
                   std::chrono::milliseconds lock_timeout, std::chrono::milliseconds limit);

}  // namespace pantryd::migrate
