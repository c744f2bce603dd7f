// Invariants: see the header. Every public call that changes something ends in settle(), which
// restores and asserts them: close what has to go, serve the borrowers that wait, begin the
// connects that are missing. idle_ holds exactly the connections that are not in use, the longest
// idle first, because time does not go back.
//
// Every borrower passes here twice, so asking, granting and giving back look only at the ends of
// waiting_ and idle_ and allocate nothing; idle_ is searched only when a connection in it has to
// go.
#include "pool/desk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace pantryd::pool {

Desk::Desk(Policy policy, std::uint64_t seed, Time now) : policy_(policy), random_(seed) {
  settle(now);
}

Ticket Desk::ask(Time now) {
  const Ticket ticket = ++last_ticket_;
  if (shutting_down_) {
    refuse(ticket, Refusal::shutting_down);
    return ticket;
  }
  if (hopeless()) {
    refuse(ticket, down_refusal());
    return ticket;
  }
  wait(ticket);
  settle(now);
  if (static_cast<std::int32_t>(waiting_.size()) > policy_.waiters_max && stop_waiting(ticket)) {
    refuse(ticket, Refusal::queue_full);
  }
  return ticket;
}

void Desk::check_failed(Ticket ticket, Id id, Time now) {
  const auto* const standing = connections_.find(id);
  if (standing == nullptr || !standing->in_use) return;
  suspect_since_ = now;
  serves_on_ = false;
  close(id, CloseCause::broken);
  if (shutting_down_) {
    refuse(ticket, Refusal::shutting_down);
  } else {
    wait(ticket);
  }
  settle(now);
}

std::optional<Refusal> Desk::leave(Ticket ticket) {
  if (!stop_waiting(ticket)) return std::nullopt;
  if (last_failure_ == ConnectFailure::too_many_clients) return Refusal::too_many_clients;
  if (last_failure_ == ConnectFailure::authentication) return Refusal::authentication;
  if (last_failure_ == ConnectFailure::unreachable) return Refusal::server_down;
  return connecting_.empty() ? Refusal::full : Refusal::deadline;
}

void Desk::connected(Id id, Time now) {
  const auto found = connecting_.find(id);
  if (found == connecting_.end()) return;
  const auto generation = found->second;
  connecting_.erase(found);
  // A login that succeeds proves the server, even with a password that is out of date by now.
  breaker_ = Breaker::closed;
  failures_in_a_row_ = 0;
  unreachable_in_a_row_ = 0;
  serves_on_ = false;
  connect_after_.reset();
  last_failure_.reset();
  const auto lifetime = std::chrono::nanoseconds(policy_.lifetime);
  Standing standing;
  standing.expires = now + (lifetime - random_part(lifetime / 10));
  standing.generation = generation;
  set_idle(id, connections_.put(id, standing), now);
  settle(now);
}

void Desk::connect_failed(Id id, ConnectFailure failure, Time now) {
  if (connecting_.erase(id) == 0) return;
  ids_.free(id);
  last_failure_ = failure;
  ++failures_in_a_row_;
  const bool unreachable = failure == ConnectFailure::unreachable;
  unreachable_in_a_row_ = unreachable ? unreachable_in_a_row_ + 1 : 0;
  back_off(now);
  const bool down = unreachable && unreachable_in_a_row_ >= policy_.breaker_failures;
  // After a login is refused, connections that are already open stay in use.
  const bool shut_out = failure == ConnectFailure::authentication && connections_.empty();
  if (failure == ConnectFailure::too_many_clients) {
    // The server answers: borrowers wait for its slots.
    breaker_ = Breaker::closed;
  } else if (down || shut_out) {
    breaker_ = Breaker::open;
    suspect_since_ = now;
  } else if (breaker_ == Breaker::half_open) {
    breaker_ = Breaker::open;
  }
  settle(now);
}

void Desk::give_back(Id id, bool reusable, Time now) {
  auto* const standing = connections_.find(id);
  if (standing == nullptr || !standing->in_use) return;
  serves_on_ = reusable && failures_in_a_row_ > 0;
  if (!reusable) {
    suspect_since_ = now;
    close(id, CloseCause::broken);
  } else {
    set_idle(id, *standing, now);
  }
  settle(now);
}

void Desk::tick(Time now) {
  settle(now);
}

std::optional<Time> Desk::next_tick() const {
  std::optional<Time> next;
  const auto sooner = [&](Time time) { next = next ? std::min(*next, time) : time; };
  if (shutting_down_) return next;
  if (connect_after_) sooner(*connect_after_);
  const bool beyond_min = spoken_for() > policy_.size_min;
  for (const Id id : idle_) {
    const auto& standing = *connections_.find(id);
    sooner(standing.expires);
    if (beyond_min) sooner(standing.idle_since + policy_.idle_timeout);
  }
  return next;
}

void Desk::change(Policy policy, bool new_login, Time now) {
  policy_ = policy;
  if (new_login) {
    ++generation_;
    outdated_idle_ = true;
    // A failure of the old login says nothing about the new one.
    connect_after_.reset();
  }
  settle(now);
}

void Desk::shut_down(Time now) {
  shutting_down_ = true;
  refuse_all(Refusal::shutting_down);
  settle(now);
}

void Desk::take_actions(std::vector<Action>& out) {
  out.clear();
  out.swap(actions_);
}

Numbers Desk::numbers() const {
  Numbers out;
  out.idle = static_cast<std::int32_t>(idle_.size());
  out.in_use = static_cast<std::int32_t>(connections_.size()) - out.idle;
  out.connecting = static_cast<std::int32_t>(connecting_.size());
  out.waiting = static_cast<std::int32_t>(waiting_.size());
  return out;
}

void Desk::settle(Time now) {
  trim(now);
  serve(now);
  if (hopeless()) refuse_all(down_refusal());
  refill(now);
  assert_settled();
}

void Desk::assert_settled() const {
  const bool room = spoken_for() < std::min(policy_.size_max, kPlaces);
  const bool wanted = !waiting_.empty() || spoken_for() < policy_.size_min;
  PANTRYD_ASSERT(spoken_for() <= policy_.size_max || idle_.empty());
  PANTRYD_ASSERT(waiting_.empty() || idle_.empty());
  PANTRYD_ASSERT(shutting_down_ || !wanted || !room || !connecting_.empty() || connect_after_);
  PANTRYD_ASSERT(waiting_.empty() || (!hopeless() && !shutting_down_));
  PANTRYD_ASSERT_DEBUG(in_order());
}

/// Whether the queue ascends, and idle_ has the idle connections by the time of their return.
bool Desk::in_order() const {
  for (std::size_t i = 1; i < waiting_.size(); ++i) {
    if (waiting_[i - 1] >= waiting_[i]) return false;
  }
  std::size_t in_use = 0;
  connections_.for_each([&](Id, const Standing& standing) { in_use += standing.in_use ? 1 : 0; });
  Time last = Time::min();
  for (const Id id : idle_) {
    const auto* const standing = connections_.find(id);
    if (standing == nullptr || standing->in_use || standing->idle_since < last) return false;
    last = standing->idle_since;
  }
  return in_use + idle_.size() == connections_.size();
}

void Desk::wait(Ticket ticket) {
  // A borrower whose connection was dead has an older ticket than the last one.
  auto place = waiting_.size();
  if (!waiting_.empty() && waiting_[place - 1] > ticket) place = place_in_queue(ticket);
  PANTRYD_ASSERT(place == waiting_.size() || waiting_[place] != ticket);
  waiting_.insert(place, ticket);
}

bool Desk::stop_waiting(Ticket ticket) {
  const auto place = place_in_queue(ticket);
  if (place == waiting_.size() || waiting_[place] != ticket) return false;
  waiting_.erase(place);
  return true;
}

std::size_t Desk::place_in_queue(Ticket ticket) const {
  return waiting_.first_not([ticket](Ticket each) { return each < ticket; });
}

void Desk::refuse_all(Refusal refusal) {
  for (std::size_t i = 0; i < waiting_.size(); ++i) refuse(waiting_[i], refusal);
  waiting_.clear();
}

void Desk::set_idle(Id id, Standing& standing, Time now) {
  standing.in_use = false;
  standing.idle_since = now;
  first_expiry_ = std::min(first_expiry_, standing.expires);
  if (standing.generation != generation_) outdated_idle_ = true;
  idle_.push_back(id);
}

/// Whether unfit() would find one. Nothing here is a search.
bool Desk::something_unfit(Time now) const {
  if (idle_.empty()) return false;
  if (shutting_down_ || outdated_idle_ || now >= first_expiry_) return true;
  if (spoken_for() > policy_.size_max) return true;
  return unfit(*connections_.find(idle_.front()), now).has_value();
}

void Desk::trim(Time now) {
  if (!something_unfit(now)) return;
  first_expiry_ = Time::max();
  outdated_idle_ = false;
  // The longest idle first: of the connections beyond size_min, these are the least needed.
  std::vector<Id> stays;
  stays.reserve(idle_.size());
  for (const Id id : idle_) {
    const auto& standing = *connections_.find(id);
    if (const auto cause = unfit(standing, now)) {
      close(id, *cause);
      continue;
    }
    first_expiry_ = std::min(first_expiry_, standing.expires);
    stays.push_back(id);
  }
  idle_ = std::move(stays);
}

std::optional<CloseCause> Desk::unfit(const Standing& standing, Time now) const {
  if (shutting_down_) return CloseCause::shutdown;
  if (standing.generation != generation_) return CloseCause::changed;
  if (spoken_for() > policy_.size_max) return CloseCause::surplus;
  if (now >= standing.expires) return CloseCause::lifetime;
  const bool unused = waiting_.empty() && spoken_for() > policy_.size_min;
  if (unused && now >= standing.idle_since + policy_.idle_timeout) return CloseCause::idle;
  return std::nullopt;
}

void Desk::serve(Time now) {
  while (!waiting_.empty() && !idle_.empty()) {
    const Id id = idle_.back();
    idle_.pop_back();
    auto& standing = *connections_.find(id);
    PANTRYD_ASSERT(!standing.in_use);
    Action action;
    action.kind = Action::Kind::grant;
    action.ticket = waiting_[0];
    action.id = id;
    action.check = now >= standing.idle_since + policy_.check_after ||
                   (suspect_since_ && standing.idle_since < *suspect_since_);
    standing.in_use = true;
    waiting_.erase(0);
    actions_.push_back(action);
  }
}

void Desk::refill(Time now) {
  if (shutting_down_) return;
  if (connect_after_ && now < *connect_after_) return;
  connect_after_.reset();
  // After a failure one connect finds out whether the server is back.
  const std::int32_t at_once = failures_in_a_row_ > 0 ? 1 : policy_.connects_max;
  const auto connecting = [&] { return static_cast<std::int32_t>(connecting_.size()); };
  const auto size_max = std::min(policy_.size_max, kPlaces);
  while (connecting() < at_once && spoken_for() < size_max) {
    const bool someone_waits = static_cast<std::int32_t>(waiting_.size()) > connecting();
    const bool probe = breaker_ == Breaker::open;
    if (!someone_waits && !probe && spoken_for() >= policy_.size_min) return;
    if (probe) breaker_ = Breaker::half_open;
    begin_connect();
  }
}

void Desk::begin_connect() {
  PANTRYD_ASSERT(spoken_for() < policy_.size_max);
  PANTRYD_ASSERT(failures_in_a_row_ == 0 || connecting_.empty());
  PANTRYD_ASSERT(static_cast<std::int32_t>(connecting_.size()) < policy_.connects_max);
  Action action;
  action.kind = Action::Kind::connect;
  action.id = ids_.next();
  connecting_.emplace(action.id, generation_);
  actions_.push_back(action);
}

/// Full jitter: anything from zero to the whole pause, so that many pools do not come back at once.
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
void Desk::back_off(Time now) {
  const int doublings = std::min(failures_in_a_row_ - 1, 20);
  const auto limit = last_failure_ == ConnectFailure::authentication
                         ? std::max(policy_.login_backoff_max, policy_.backoff_max)
                         : policy_.backoff_max;
  const auto longest = std::min<std::chrono::nanoseconds>(
      limit, std::chrono::nanoseconds(policy_.backoff_first) * (1LL << doublings));
  connect_after_ =
      now + std::max<std::chrono::nanoseconds>(random_part(longest), std::chrono::milliseconds(1));
}

void Desk::refuse(Ticket ticket, Refusal refusal) {
  Action action;
  action.kind = Action::Kind::refuse;
  action.ticket = ticket;
  action.refusal = refusal;
  actions_.push_back(action);
}

bool Desk::hopeless() const {
  const bool wait_for_return = serves_on_ && !connections_.empty();
  return breaker_ != Breaker::closed && idle_.empty() && !wait_for_return;
}

void Desk::close(Id id, CloseCause cause) {
  connections_.take(id);
  ids_.free(id);
  Action action;
  action.kind = Action::Kind::close;
  action.id = id;
  action.cause = cause;
  actions_.push_back(action);
}

std::int32_t Desk::spoken_for() const {
  return static_cast<std::int32_t>(connections_.size() + connecting_.size());
}

Refusal Desk::down_refusal() const {
  return last_failure_ == ConnectFailure::authentication ? Refusal::authentication
                                                         : Refusal::server_down;
}

std::chrono::nanoseconds Desk::random_part(std::chrono::nanoseconds span) {
  return std::chrono::nanoseconds(random_.between(0, std::max<std::int64_t>(0, span.count())));
}

}  // namespace pantryd::pool
