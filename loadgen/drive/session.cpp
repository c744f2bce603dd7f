// Invariant: in pipelined mode every batch ends with one Sync, so the batch is over exactly when
// PGRES_PIPELINE_SYNC is read.
#include "loadgen/drive/session.h"

#include <libpq-fe.h>

#include "base/wait.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kCancelLimit = std::chrono::seconds(1);

[[noreturn]] void lost(const std::string& reason) {
  throw pg::PgError(pg::Failure::lost, std::string(pg::sqlstate::kConnectionFailure), reason);
}

}  // namespace

Session::Session(Lease lease, bool pipelined) : lease_(std::move(lease)), pipelined_(pipelined) {
  if (pipelined_ && PQenterPipelineMode(lease_->native()) == 0) lost("no pipeline mode");
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

void Session::add(const std::string& statement, const pg::Params& params) {
  lease_->send_prepared(statement, params);
  ++expected_;
}

void Session::add_rollback() {
  lease_->send("ROLLBACK", pg::Params());
  ++expected_;
}

bool Session::send() {
  if (pipelined_ && PQpipelineSync(lease_->native()) == 0) {
    lost(one_line(PQerrorMessage(lease_->native())));
  }
  return lease_->flush();
}

bool Session::flush() {
  return lease_->flush();
}

bool Session::receive(std::vector<pg::Result>& replies) {
  lease_->consume();
  bool over = false;
  if (pipelined_) {
    read_pipelined(replies, over);
    return over;
  }
  while (expected_ > 0 && !lease_->busy()) {
    auto result = lease_->take_result();
    if (result) {
      replies.push_back(std::move(*result));
    } else {
      expected_ = 0;
      over = true;
    }
  }
  return over;
}

void Session::read_pipelined(std::vector<pg::Result>& replies, bool& over) {
  // Two reads a statement (its result and its end), one for the Sync, and never more.
  for (int reads = 0; reads < 1000 && !lease_->busy(); ++reads) {
    PGresult* raw = PQgetResult(lease_->native());
    if (raw == nullptr) {
      if (PQstatus(lease_->native()) != CONNECTION_OK) lost("the connection was lost");
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
  const auto status = PQtransactionStatus(lease_->native());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

}  // namespace pantryd::loadgen
