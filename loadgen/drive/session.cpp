// Invariant: pipeline_ uses the connection of lease_, so nothing is sent once the lease is empty.
#include "loadgen/drive/session.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kCancelLimit = std::chrono::seconds(1);

}  // namespace

Session::Session(Lease lease, std::shared_ptr<const StatementTypes> types, bool pipelined)
    : lease_(std::move(lease)), types_(std::move(types)), pipeline_(*lease_, pipelined) {}

Session::~Session() {
  // The pool cannot use a connection in pipeline mode.
  if (lease_ && pipeline_.pipelined()) close();
}

void Session::close() {
  if (lease_) const auto gone = std::move(*lease_);
}

void Session::cancel_and_close() {
  if (!lease_) return;
  if (!lease_->broken()) pg::request_cancel(*lease_, Deadline::in(kCancelLimit));
  close();
}

}  // namespace pantryd::loadgen
