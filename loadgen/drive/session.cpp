// Invariant: in pipelined mode every batch ends with one Sync, so the batch is over exactly when
// PGRES_PIPELINE_SYNC is read.
#include "loadgen/drive/session.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <string_view>

#include "base/wait.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kCancelLimit = std::chrono::seconds(1);

[[noreturn]] void lost(const std::string& reason) {
  throw pg::PgError(pg::Failure::lost, std::string(pg::sqlstate::kConnectionFailure), reason);
}

}  // namespace

void Reply::Clear::operator()(pg_result* raw) const {
  PQclear(raw);
}

bool Reply::failed() const {
  const auto status = PQresultStatus(raw_.get());
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

std::int64_t Reply::rows() const {
  if (PQnfields(raw_.get()) > 0) return PQntuples(raw_.get());
  return std::strtoll(PQcmdTuples(raw_.get()), nullptr, 10);
}

const char* Reply::first(const std::string& column, int& hint) const {
  const int columns = PQnfields(raw_.get());
  if (hint >= columns || column != PQfname(raw_.get(), hint)) {
    int found = 0;
    while (found < columns && column != PQfname(raw_.get(), found)) ++found;
    if (found == columns) return nullptr;
    hint = found;
  }
  if (PQntuples(raw_.get()) == 0 || PQgetisnull(raw_.get(), 0, hint) != 0) return nullptr;
  return PQgetvalue(raw_.get(), 0, hint);
}

std::string Reply::sqlstate() const {
  const char* code = PQresultErrorField(raw_.get(), PG_DIAG_SQLSTATE);
  return code == nullptr ? std::string() : code;
}

std::string Reply::error_message() const {
  const char* primary = PQresultErrorField(raw_.get(), PG_DIAG_MESSAGE_PRIMARY);
  return one_line(primary == nullptr ? PQresultErrorMessage(raw_.get()) : primary);
}

bool Reply::plan_is_stale() const {
  // As pg::Result::plan_is_stale(): the function's name is not translated.
  const char* function = PQresultErrorField(raw_.get(), PG_DIAG_SOURCE_FUNCTION);
  return sqlstate() == "0A000" && function != nullptr &&
         std::string_view(function) == "RevalidateCachedQuery";
}

Session::Session(Lease lease, std::shared_ptr<const StatementTypes> types, bool pipelined)
    : lease_(std::move(lease)),
      types_(std::move(types)),
      connection_(lease_->native()),
      pipelined_(pipelined) {
  if (pipelined_ && PQenterPipelineMode(connection_) == 0) lost("no pipeline mode");
}

Session::~Session() {
  // The pool cannot use a connection in pipeline mode.
  if (lease_ && pipelined_) close();
}

void Session::close() {
  if (lease_) const auto gone = std::move(*lease_);
}

void Session::cancel_and_close() {
  if (!lease_) return;
  if (!lease_->broken()) {
    const std::shared_ptr<PGcancel> cancel(PQgetCancel(lease_->native()), &PQfreeCancel);
    if (cancel) {
      (void)run_bounded(
          [cancel] {
            char reason[256] = {};
            PQcancel(cancel.get(), reason, sizeof reason);
          },
          Deadline::in(kCancelLimit), nullptr);
    }
  }
  close();
}

void Session::fail_lost() const {
  lost(one_line(PQerrorMessage(connection_)));
}

void Session::add(const char* statement, const Binding& params) {
  if (PQsendQueryPrepared(connection_, statement, params.count(), params.values(), params.lengths(),
                          params.formats(), 0) == 0) {
    fail_lost();
  }
  ++expected_;
}

void Session::add_rollback() {
  if (PQsendQueryParams(connection_, "ROLLBACK", 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) {
    fail_lost();
  }
  ++expected_;
}

bool Session::send() {
  if (pipelined_ && PQpipelineSync(connection_) == 0) fail_lost();
  return flush();
}

bool Session::flush() {
  const int left = PQflush(connection_);
  if (left < 0) fail_lost();
  return left == 0;
}

bool Session::receive(std::vector<Reply>& replies) {
  if (PQconsumeInput(connection_) == 0) fail_lost();
  bool over = false;
  if (pipelined_) {
    read_pipelined(replies, over);
    return over;
  }
  while (expected_ > 0 && PQisBusy(connection_) == 0) {
    if (PGresult* raw = PQgetResult(connection_)) {
      replies.emplace_back(raw);
    } else {
      expected_ = 0;
      over = true;
    }
  }
  return over;
}

void Session::read_pipelined(std::vector<Reply>& replies, bool& over) {
  // Two reads a statement (its result and its end), one for the Sync, and never more.
  for (int reads = 0; reads < 1000 && PQisBusy(connection_) == 0; ++reads) {
    PGresult* raw = PQgetResult(connection_);
    if (raw == nullptr) {
      if (PQstatus(connection_) != CONNECTION_OK) lost("the connection was lost");
      if (expected_ == 0) return;  // nothing is queued
      --expected_;
      continue;
    }
    const auto status = PQresultStatus(raw);
    if (status == PGRES_PIPELINE_SYNC) {
      PQclear(raw);
      expected_ = 0;
      over = true;
      return;
    }
    if (status == PGRES_PIPELINE_ABORTED) {
      PQclear(raw);
    } else {
      replies.emplace_back(raw);
    }
  }
}

bool Session::in_transaction() const {
  const auto status = PQtransactionStatus(connection_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

}  // namespace pantryd::loadgen
