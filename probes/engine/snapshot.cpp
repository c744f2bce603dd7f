// Invariant: under mutex_, snapshots_ holds the newest snapshot of each target, never null.
#include "probes/engine/snapshot.h"

#include "base/assert.h"

namespace pantryd::probes {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::error:
      return "error";
    case Outcome::timeout:
      return "timeout";
    case Outcome::lock_skipped:
      return "lock_skipped";
    case Outcome::not_applicable:
      return "not_applicable";
    case Outcome::suppressed:
      return "suppressed";
  }
  return "unknown";
}

void SnapshotStore::publish(std::shared_ptr<const TargetSnapshot> snapshot) {
  PANTRYD_ASSERT(snapshot != nullptr && !snapshot->target.empty());
  const auto name = snapshot->target;
  const std::lock_guard lock(mutex_);
  snapshots_[name].swap(snapshot);  // the old one dies after the lock is released
}

void SnapshotStore::remove(const std::string& target) {
  const std::lock_guard lock(mutex_);
  snapshots_.erase(target);
}

void SnapshotStore::note_reload(bool succeeded, WallClock::time_point at) {
  const std::lock_guard lock(mutex_);
  reload_ = {succeeded, at};
}

std::optional<SnapshotStore::Reload> SnapshotStore::reload() const {
  const std::lock_guard lock(mutex_);
  return reload_;
}

std::shared_ptr<const TargetSnapshot> SnapshotStore::find(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  const auto found = snapshots_.find(target);
  PANTRYD_ASSERT(found == snapshots_.end() || found->second != nullptr);
  return found == snapshots_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const TargetSnapshot>> SnapshotStore::all() const {
  std::vector<std::shared_ptr<const TargetSnapshot>> out;
  const std::lock_guard lock(mutex_);
  out.reserve(snapshots_.size());
  for (const auto& [name, snapshot] : snapshots_) out.push_back(snapshot);
  return out;
}

}  // namespace pantryd::probes
