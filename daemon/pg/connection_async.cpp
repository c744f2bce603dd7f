// The asynchronous face. Whatever is sent is noted for the slot and the mark of the session, and
// every result that is taken is observed, exactly as on the synchronous one.
#include "pg/internal/connection_state.h"

namespace pantryd::pg {

void Connection::send(const std::string& sql, const Params& params) {
  if (broken()) fail_lost("a statement");
  state_->note(sql);
  const ParamPointers bound(params);
  if (PQsendQueryParams(state_->session, sql.c_str(), bound.count(), nullptr, bound.values.data(),
                        nullptr, nullptr, 0) == 0) {
    fail_lost("a statement");
  }
}

void Connection::send_prepare(const std::string& name, const std::string& sql) {
  if (broken()) fail_lost("a prepare");
  state_->remember(name, sql);
  if (PQsendPrepare(state_->session, name.c_str(), sql.c_str(), 0, nullptr) == 0) {
    fail_lost("a prepare");
  }
}

void Connection::send_prepared(const std::string& name, const Params& params) {
  if (broken()) fail_lost("a statement");
  state_->note_named(name);
  const ParamPointers bound(params);
  if (PQsendQueryPrepared(state_->session, name.c_str(), bound.count(), bound.values.data(),
                          nullptr, nullptr, 0) == 0) {
    fail_lost("a statement");
  }
}

bool Connection::flush() {
  if (broken()) fail_lost("a send");
  const int left = PQflush(state_->session);
  if (left < 0) fail_lost("a send");
  return left == 0;
}

void Connection::consume() {
  if (broken() || PQconsumeInput(state_->session) == 0) fail_lost("a receive");
}

bool Connection::busy() const {
  return !broken() && PQisBusy(state_->session) != 0;
}

std::optional<Result> Connection::take_result() {
  if (broken()) fail_lost("a receive");
  PGresult* result = PQgetResult(state_->session);
  if (result == nullptr) return std::nullopt;
  state_->observe(result);
  return Result(result);
}

int Connection::socket() const {
  return broken() ? -1 : PQsocket(state_->session);
}
pg_conn* Connection::native() const {
  return state_->session;
}

}  // namespace pantryd::pg
