// Statements prepared once a session. Invariant: a statement's state is `known` only after the
// server said so, and `doubtful` while it is asked; inside a transaction block nothing is sent by
// name or prepared unless its state is certain, since an error there costs the caller the
// transaction.
#include <fmt/format.h>

#include "base/assert.h"
#include "pg/internal/connection_state.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

/// Deallocating so many evicted statements at once makes the extra round trip rare.
constexpr std::size_t kDeallocatesMax = 16;

using Held = CachedStatement::State;

bool says_missing(const Result& failed, const CachedStatement& statement) {
  // The statement itself may fail with this code, about a name of its own.
  return failed.sqlstate() == sqlstate::kInvalidStatementName &&
         failed.error_message().find(statement.name) != std::string::npos;
}

}  // namespace

Connection::Outcome Connection::run_quietly(const std::string& sql, Deadline deadline) {
  if (broken()) fail_lost("a statement");
  if (PQsendQuery(state_->session, sql.c_str()) == 0) fail_lost("a statement");
  return complete(deadline, "a statement");
}

bool Connection::names_work(Deadline deadline) {
  if (state_->prepared != Prepared::automatic) return state_->prepared == Prepared::named;
  if (!state_->names_work) {
    if (PQtransactionStatus(state_->session) == PQTRANS_INERROR) return false;
    const auto answer = run_quietly("SELECT pg_catalog.pg_backend_pid()", deadline);
    if (answer.failed) raise(*answer.failed, "a look for a connection pooler");
    state_->names_work = answer.last.i64(0, 0) == state_->pid;
  }
  return *state_->names_work;
}

/// Outside of a transaction block only.
void Connection::deallocate(const std::vector<std::string>& names, Deadline deadline) {
  PANTRYD_ASSERT(idle() && !state_->deallocating);
  std::string all;
  for (const auto& name : names) all += fmt::format("DEALLOCATE {};", name);
  const auto over = [this](const bool*) { state_->deallocating = false; };
  const std::unique_ptr<const bool, decltype(over)> guard(&state_->deallocating, over);
  state_->deallocating = true;
  const auto outcome = run_quietly(all, deadline);
  if (!outcome.failed || broken()) return;
  // One of them is gone already, and those after it were not reached.
  for (const auto& name : names) (void)run_quietly("DEALLOCATE " + name, deadline);
}

/// False: run it unnamed this time.
bool Connection::make_known(CachedStatement& statement, Deadline deadline) {
  if (statement.state == Held::known) return true;
  const auto status = PQtransactionStatus(state_->session);
  if (status != PQTRANS_IDLE && (status != PQTRANS_INTRANS || statement.state != Held::absent)) {
    return false;
  }
  if (statement.state == Held::stale) {
    deallocate({statement.name}, deadline);
    statement.state = Held::absent;
  }
  statement.state = Held::doubtful;
  if (PQsendPrepare(state_->session, statement.name.c_str(), statement.text.c_str(), 0, nullptr) ==
      0) {
    fail_lost("a prepare");
  }
  const auto outcome = complete(deadline, "a statement");
  if (!outcome.failed) {
    statement.state = Held::known;
    return true;
  }
  const bool exists = outcome.failed->sqlstate() == sqlstate::kDuplicateStatement;
  statement.state = exists ? Held::known : Held::absent;
  // The name is made from the text, so what has the name is this statement.
  if (exists && status == PQTRANS_IDLE) return true;
  raise(*outcome.failed, "a statement");
}

Result Connection::exec_cached(const std::string& sql, const Params& params, Deadline deadline) {
  if (broken()) fail_lost("a statement");
  if (!names_work(deadline)) return exec(sql, params, deadline);
  if (state_->cache.evicted() >= kDeallocatesMax && idle()) {
    deallocate(state_->cache.take_evicted(kDeallocatesMax), deadline);
  }
  const auto statement = state_->cache.use(sql);
  if (!statement) return exec(sql, params, deadline);
  state_->note(sql, statement->mark);
  const ParamPointers bound(params);
  for (bool retried = false;; retried = true) {
    if (!make_known(*statement, deadline)) return exec(sql, params, deadline);
    PANTRYD_ASSERT(statement->state == Held::known);
    const bool may_retry = idle() && !retried;
    if (PQsendQueryPrepared(state_->session, statement->name.c_str(), bound.count(),
                            bound.values.data(), nullptr, nullptr, 0) == 0) {
      fail_lost("a statement");
    }
    auto outcome = complete(deadline, "a statement");
    if (!outcome.failed) return std::move(outcome.last);
    const bool missing = says_missing(*outcome.failed, *statement);
    const bool stale = outcome.failed->plan_is_stale();
    if (missing) statement->state = Held::absent;
    if (stale) statement->state = Held::stale;
    // Neither was executed: the server says so when it binds the parameters.
    if (!may_retry || (!missing && !stale)) raise(*outcome.failed, "a statement");
  }
}

}  // namespace pantryd::pg
