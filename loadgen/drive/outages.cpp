// Invariant: outages_ is in order of from_s, and only its last entry may still be open.
#include "loadgen/drive/outages.h"

namespace pantryd::loadgen {

void OutageLog::lost(double at_s, const std::string& error, bool operation_failed) {
  const bool goes_on = !outages_.empty() && (!outages_.back().to_s || away_ > 0);
  if (!goes_on && outages_.size() < kOutagesMax) {
    Outage outage;
    outage.from_s = at_s;
    outage.first_error = error;
    outages_.push_back(std::move(outage));
  }
  auto& outage = outages_.back();
  outage.to_s.reset();
  ++outage.connections_lost;
  if (operation_failed) ++outage.operations_failed;
  ++away_;
}

void OutageLog::move_origin(double seconds) {
  for (auto& each : outages_) {
    each.from_s += seconds;
    if (each.to_s) *each.to_s += seconds;
  }
}

void OutageLog::reconnected() {
  if (away_ > 0) --away_;
}

void OutageLog::succeeded(double at_s) {
  if (!outages_.empty() && !outages_.back().to_s) outages_.back().to_s = at_s;
}

}  // namespace pantryd::loadgen
