// Private to the runner: statements that cannot run in a transaction, and what such a one leaves
// when it is cut off.
#pragma once

#include <chrono>

#include "migrate/run/execute.h"
#include "migrate/run/retry.h"

namespace pantryd::migrate {

/// Clears away the invalid leftovers of an earlier attempt. True when the statement, begun before
/// (`begun`), turns out to be done. Throws Error(lock) when a transaction that a concurrent build
/// would wait for stays open beyond the lock budget.
[[nodiscard]] bool make_way(Session& session, const SqlStatement& statement, const Place& place,
                            bool begun);

/// Runs it, and proves that an index which it made is valid. With `begun`, the server's "already
/// exists" or "does not exist" means that it had been done before.
void run_outside(Session& session, const SqlStatement& statement, const Place& place,
                 std::chrono::milliseconds lock_timeout, std::chrono::milliseconds limit,
                 bool begun);

/// For CREATE INDEX IF NOT EXISTS in a transaction: throws Error(failed) over an invalid index.
void require_no_invalid(Session& session, const SqlStatement& statement, const Place& place);

}  // namespace pantryd::migrate
