// Invariants: when pipelined, every batch ends with one Sync, so the batch is over exactly when
// PGRES_PIPELINE_SYNC is read; else at most one statement is under way.
#include "pg/pipeline.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <string_view>

#include "base/assert.h"
#include "base/wait.h"
#include "pg/connection.h"
#include "pg/error.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

/// Two reads for each statement (its result and its end) and one for the Sync; far below this.
constexpr int kReadsMax = 1000;

[[noreturn]] void lost(const std::string& reason) {
  throw PgError(Failure::lost, std::string(sqlstate::kConnectionFailure), reason);
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
  // As Result::plan_is_stale(): the function's name is not translated.
  const char* function = PQresultErrorField(raw_.get(), PG_DIAG_SOURCE_FUNCTION);
  return sqlstate() == "0A000" && function != nullptr &&
         std::string_view(function) == "RevalidateCachedQuery";
}

Pipeline::Pipeline(Connection& connection, bool pipelined)
    : connection_(connection.native()), pipelined_(pipelined) {
  if (pipelined_ && PQenterPipelineMode(connection_) == 0) lost("no pipeline mode");
}

void Pipeline::fail_lost() const {
  lost(one_line(PQerrorMessage(connection_)));
}

void Pipeline::add(const char* prepared, const BoundValues& values) {
  PANTRYD_ASSERT(pipelined_ || expected_ == 0);
  if (PQsendQueryPrepared(connection_, prepared, values.count, values.values, values.lengths,
                          values.formats, 0) == 0) {
    fail_lost();
  }
  ++expected_;
}

void Pipeline::add_sql(const char* sql) {
  PANTRYD_ASSERT(pipelined_ || expected_ == 0);
  if (PQsendQueryParams(connection_, sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) {
    fail_lost();
  }
  ++expected_;
}

bool Pipeline::send() {
  PANTRYD_ASSERT(!in_flight_);
  if (pipelined_ && PQpipelineSync(connection_) == 0) fail_lost();
  in_flight_ = true;
  return flush();
}

bool Pipeline::flush() {
  const int left = PQflush(connection_);
  if (left < 0) fail_lost();
  return left == 0;
}

bool Pipeline::receive(std::vector<Reply>& replies) {
  if (PQconsumeInput(connection_) == 0) fail_lost();
  bool over = false;
  if (pipelined_) {
    read_pipelined(replies, over);
    in_flight_ = in_flight_ && !over;
    return over;
  }
  while (expected_ > 0 && PQisBusy(connection_) == 0) {
    if (PGresult* raw = PQgetResult(connection_)) {
      replies.emplace_back(raw);
    } else {
      expected_ = 0;
      in_flight_ = false;
      over = true;
    }
  }
  return over;
}

void Pipeline::read_pipelined(std::vector<Reply>& replies, bool& over) {
  for (int reads = 0; reads < kReadsMax && PQisBusy(connection_) == 0; ++reads) {
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

bool Pipeline::in_transaction() const {
  const auto status = PQtransactionStatus(connection_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

void request_cancel(const Connection& connection, Deadline deadline) {
  const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection.native()), &PQfreeCancel);
  if (!cancel) return;
  (void)run_bounded(
      [cancel] {
        char reason[256] = {};
        PQcancel(cancel.get(), reason, sizeof reason);
      },
      deadline, nullptr);
}

}  // namespace pantryd::pg
