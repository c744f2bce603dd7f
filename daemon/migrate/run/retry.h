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

using Attempt = std::function<void(std::chrono::milliseconds lock_timeout, int attempt)>;

/// Calls `attempt` until it does not throw for a lock, a deadlock or a serialization failure; the
/// connection is idle before each. Returns the attempts it took. Throws Error(lock) when the budget
/// is spent, and what else `attempt` threw with file and line in front.
int with_retries(Session& session, const Place& place, std::chrono::milliseconds lock_timeout_max,
                 const Attempt& attempt);

/// Runs one statement under watch.
void run_statement(Session& session, const SqlStatement& statement,
                   std::chrono::milliseconds lock_timeout, std::chrono::milliseconds limit);

}  // namespace pantryd::migrate
