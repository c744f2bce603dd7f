// One attempt to make a connection, and the error of a borrower that gets none.
#pragma once

#include <memory>
#include <string>

#include "pg/connection.h"
#include "pool/pool.h"

namespace pantryd::pool {

/// Why the last attempt failed.
struct Failed {
  ConnectFailure kind = ConnectFailure::unreachable;
  std::string message = "no connection was made yet";
  std::string hint;
};

/// Asks `login` and connects. Null: `failed` says why. Throws nothing.
[[nodiscard]] std::unique_ptr<pg::Connection> try_connect(const Login& login, Deadline deadline,
                                                          const pg::ConnectOptions& options,
                                                          Failed& failed);

/// The borrower's error: the reason, the pool's numbers at that moment, and what to do.
[[nodiscard]] PoolError refusal_error(Refusal refusal, const Numbers& now, std::int32_t size_max,
                                      const Failed& last_failed);

}  // namespace pantryd::pool
