// The pool's decisions: which borrower gets which connection, and when. It has no threads, sockets
// or clocks: the pool reports what happened and when, and carries out the actions. So a test can
// check every rule with a clock that the test moves.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "pool/action.h"
#include "pool/internal/by_id.h"
#include "pool/internal/ring.h"
#include "pool/policy.h"

namespace pantryd::pool {

/// Invariants, between any two calls:
///  1. in use + idle + connecting <= size_max, and connecting <= connects_max; after change() to
///     less, those in use beyond it are closed when they come back.
///  2. No borrower waits while a connection is idle.
///  3. Grants go out in the order of the tickets; a ticket ends once: granted, refused, withdrawn.
///  4. While a borrower waits, or connections are fewer than size_min, and there is room, a connect
///     is under way, or next_tick() says when it will be (back-off), or the pool shuts down.
///  5. While the breaker is open no borrower waits, unless borrowed connections still work: one was
///     returned well since connects began to fail. After a failure connects are one at a time.
class Desk {
 public:
  Desk(Policy policy, std::uint64_t seed, Time now);

  /// A borrower asks. An action grants or refuses it, now or later, unless it leaves.
  [[nodiscard]] Ticket ask(Time now);
  /// The borrower that got `id` for `ticket` found it dead. It gets another connection, in its old
  /// place in the queue.
  void check_failed(Ticket ticket, Id id, Time now);
  /// The borrower leaves the queue, because its deadline passed or a stop was requested. Returns
  /// why it got nothing until now; nothing: its action was given out already.
  [[nodiscard]] std::optional<Refusal> leave(Ticket ticket);

  void connected(Id id, Time now);
  void connect_failed(Id id, ConnectFailure failure, Time now);
  /// `reusable`: proven idle. A connection that is not may mean that the server went away, so all
  /// that are idle now are checked before their next use.
  void give_back(Id id, bool reusable, Time now);

  /// Idle and old connections, refill, back-off. To be called at next_tick() or before.
  void tick(Time now);
  [[nodiscard]] std::optional<Time> next_tick() const;

  /// Sizes and times from now on; connections beyond the new sizes are closed when they are idle.
  /// `new_login` retires every connection made before, one by one as they come back.
  void change(Policy policy, bool new_login, Time now);
  /// Refuses every borrower from now on; closes idle connections, and borrowed ones on return.
  void shut_down(Time now);

  /// The decisions since the last call, in order. It swaps the memory of `out`, so that with one
  /// vector for all calls nothing is allocated.
  void take_actions(std::vector<Action>& out);
  [[nodiscard]] Numbers numbers() const;
  [[nodiscard]] Breaker breaker() const { return breaker_; }
  /// Why connects fail, while the breaker is open or after a failed connect.
  [[nodiscard]] std::optional<ConnectFailure> last_failure() const { return last_failure_; }

 private:
  struct Standing {
    Time expires;
    Time idle_since;
    std::uint64_t generation = 0;
    bool in_use = false;
  };

  void settle(Time now);
  void assert_settled() const;
  [[nodiscard]] bool in_order() const;
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
  [[nodiscard]] bool hopeless() const;  ///< waiting cannot succeed
  void close(Id id, CloseCause cause);
  [[nodiscard]] std::optional<CloseCause> unfit(const Standing& standing, Time now) const;
  [[nodiscard]] std::int32_t spoken_for() const;  ///< made and being made
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
  std::vector<Id> idle_;                    ///< by return; the last one goes out first
  Time first_expiry_ = Time::max();         ///< no idle connection expires earlier
  bool outdated_idle_ = false;              ///< an idle one may have an earlier generation
  std::vector<Action> actions_;
};

}  // namespace pantryd::pool
