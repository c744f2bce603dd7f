// Who gets which connection, and when: the pool's decisions, without threads, sockets or clocks.
// The pool tells the desk what happened and when, and carries out what it decides. So that every
// rule of the pool can be tested with a clock that the test moves.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "pool/internal/by_id.h"
#include "pool/internal/ring.h"
#include "pool/policy.h"

namespace pantryd::pool {

using Time = std::chrono::steady_clock::time_point;
/// A borrower in the queue: numbers grow, and are the order in which they came.
using Ticket = std::uint64_t;

/// What the pool has to do. Each is said once.
struct Action {
  enum class Kind {
    grant,    ///< `ticket` gets `id`; `check`: it was idle for long, prove it first
    refuse,   ///< `ticket` gets nothing, for `refusal`
    connect,  ///< begin to make `id`; answer with connected() or connect_failed()
    close,    ///< end `id`, for `cause`
  };
  Kind kind = Kind::close;
  Ticket ticket = 0;
  Id id = 0;
  bool check = false;
  Refusal refusal = Refusal::full;
  CloseCause cause = CloseCause::idle;
};

/// Invariants, between any two calls:
///  1. in use + idle + connecting <= size_max, and connecting <= connects_max; after change() to
///     less, those in use beyond it are closed when they come back.
///  2. Nobody waits while a connection is idle.
///  3. Grants go out in the order of the tickets; a ticket ends once: granted, refused, withdrawn.
///  4. While somebody waits, or fewer than size_min stand, and there is room, a connect is under
///     way, or next_tick() says when it will be (back-off), or the pool shuts down.
///  5. While the breaker is open nobody waits, unless those in use serve on: one came back well
///     since connects began to fail. No further connect begins while one (the probe) is under way.
class Desk {
 public:
  Desk(Policy policy, std::uint64_t seed, Time now);

  /// A borrower comes. It is granted or refused by an action, now or later, unless it leaves.
  [[nodiscard]] Ticket ask(Time now);
  /// The one who held `id` for `ticket` found it dead at the check: it gets another one, in its old
  /// place in the queue.
  void check_failed(Ticket ticket, Id id, Time now);
  /// Leaves the queue, because its deadline passed or somebody stopped it: why it got nothing until
  /// now. Nothing: its action was given out already.
  [[nodiscard]] std::optional<Refusal> leave(Ticket ticket);

  void connected(Id id, Time now);
  void connect_failed(Id id, ConnectFailure failure, Time now);
  /// `reusable`: proven idle. One that is not may mean that the server went away, so those that are
  /// idle now are checked before their next use.
  void give_back(Id id, bool reusable, Time now);

  /// Idle and old connections, refill, back-off. To be called at next_tick() or before.
  void tick(Time now);
  [[nodiscard]] std::optional<Time> next_tick() const;

  /// Sizes and times from now on; what is beyond the new ones leaves when it is idle. A new
  /// `generation` retires every connection made before, one by one as they come back.
  void change(Policy policy, bool new_login, Time now);
  /// Nobody gets anything any more; idle ones are closed, borrowed ones when they come back.
  void shut_down(Time now);

  /// What was decided since the last call, in order, in exchange for the memory of `out`: with one
  /// vector for all calls none is taken.
  void take_actions(std::vector<Action>& out);
  [[nodiscard]] Numbers numbers() const;
  [[nodiscard]] Breaker breaker() const { return breaker_; }
  /// Why the server cannot be had, while the breaker is open or after a failed connect.
  [[nodiscard]] std::optional<ConnectFailure> last_failure() const { return last_failure_; }

 private:
  struct Standing {
    Time expires;
    Time idle_since;
    std::uint64_t generation = 0;
    bool in_use = false;
  };

  void settle(Time now);
  void wait(Ticket ticket);
  bool stop_waiting(Ticket ticket);
  [[nodiscard]] std::size_t place_in_queue(Ticket ticket) const;
  void set_idle(Id id, Standing& standing, Time now);
  [[nodiscard]] bool something_unfit(Time now) const;
  void serve(Time now);
  void refill(Time now);
  void trim(Time now);
  void begin_connect();
  void back_off(Time now);
  void refuse(Ticket ticket, Refusal refusal);
  void refuse_all(Refusal refusal);
  [[nodiscard]] bool hopeless() const;  ///< to wait is to wait for nothing
  void close(Id id, CloseCause cause);
  [[nodiscard]] std::optional<CloseCause> unfit(const Standing& standing, Time now) const;
  [[nodiscard]] std::int32_t spoken_for() const;  ///< standing and being made
  [[nodiscard]] Refusal down_refusal() const;
  /// From 0 to `span`.
  [[nodiscard]] std::chrono::nanoseconds random_part(std::chrono::nanoseconds span);

  Policy policy_;
  Random random_;
  std::uint64_t generation_ = 1;
  bool shutting_down_ = false;
  Breaker breaker_ = Breaker::closed;
  std::int32_t failures_in_a_row_ = 0;
  std::int32_t unreachable_in_a_row_ = 0;  ///< the breaker counts these
  bool serves_on_ = false;                 ///< see invariant 5
  std::optional<Time> connect_after_;      ///< back-off
  std::optional<Time> suspect_since_;      ///< idle since before: to be checked
  std::optional<ConnectFailure> last_failure_;
  Ticket last_ticket_ = 0;
  Ids ids_;
  Ring<Ticket> waiting_;                    ///< ascending
  ById<Standing> connections_;              ///< idle and in use
  std::map<Id, std::uint64_t> connecting_;  ///< with the generation of its login
  std::vector<Id> idle_;                    ///< the last one returned last: it goes out first
  Time first_expiry_ = Time::max();         ///< no idle one expires earlier
  bool outdated_idle_ = false;              ///< an idle one may be of an earlier generation
  std::vector<Action> actions_;
};

}  // namespace pantryd::pool
