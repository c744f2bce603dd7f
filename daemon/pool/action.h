// What the desk decides: each action is for the pool to carry out, once.
#pragma once

#include <chrono>
#include <cstdint>

#include "pool/internal/by_id.h"
#include "pool/policy.h"

namespace pantryd::pool {

using Time = std::chrono::steady_clock::time_point;
/// A borrower in the queue. Tickets grow in the order in which borrowers ask.
using Ticket = std::uint64_t;

/// One thing that the pool has to do.
struct Action {
  enum class Kind {
    grant,    ///< `ticket` gets `id`; `check`: it was idle for long and is to be tested first
    refuse,   ///< `ticket` gets nothing, for `refusal`
    connect,  ///< begin to make `id`; report connected() or connect_failed()
    close,    ///< end `id`, for `cause`
  };
  Kind kind = Kind::close;
  Ticket ticket = 0;
  Id id = 0;
  bool check = false;
  Refusal refusal = Refusal::full;
  CloseCause cause = CloseCause::idle;
};

}  // namespace pantryd::pool
