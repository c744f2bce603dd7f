// What a watcher has to do, and whose turn it is. Private to the watcher, whose mutex guards it: an
// agenda has no lock, no clock and no thread, and nothing in it blocks.
//
// Invariants: an entry that is running was taken by one thread, and stays where it is until that
// thread gives it back; an entry's state is replaced, never changed, so that snapshots share it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "pg/connection.h"
#include "probes/engine/run.h"
#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// Who runs it: what is slow in one lane does not keep the others waiting.
enum class Lane { cluster, database, local };

struct Entry {
  Lane lane = Lane::cluster;
  std::string database;  ///< of a probe of scope database
  std::chrono::milliseconds interval{0};
  std::shared_ptr<const ProbeState> state;
  SteadyClock::time_point due;
  int timeouts = 0;  ///< in a row
  bool running = false;
  std::unique_ptr<ProbeMemory> memory;
  /// With the connection and what is known of its server; null for a local probe.
  std::function<ProbeRun(pg::Connection*, const TargetFacts&)> run;
  const ProbeSpec* spec = nullptr;
};

class Agenda {
 public:
  /// Due at once. `before`: what was known of it, to go on from; null: nothing.
  Entry& add(Lane lane, const std::string& name, const std::string& database,
             std::chrono::milliseconds interval, const ProbeState* before,
             SteadyClock::time_point now);

  /// The one of `lane` that has waited longest among those that are due, those of `database` before
  /// all others, since a visit costs a connection; it is running then. Null: none is due before
  /// `next`, which is at most `nap` away.
  [[nodiscard]] Entry* take_due(Lane lane, const std::string& database, SteadyClock::time_point now,
                                std::chrono::milliseconds nap, SteadyClock::time_point& next);
  /// One of `lane` that never ran; it is running then. Null: all did.
  [[nodiscard]] Entry* take_unrun(Lane lane);
  /// Of an entry that was taken: due an interval later, and not twice to catch up.
  void give_back(Entry& entry, std::shared_ptr<const ProbeState> state,
                 SteadyClock::time_point now);

  /// All that need the server and are not running are due now.
  void hurry(SteadyClock::time_point now);
  /// Lane::database keeps the entries of these databases alone. None of it may be running.
  void keep_databases(const std::vector<std::string>& names);
  [[nodiscard]] bool has(const ProbeSpec& spec, const std::string& database) const;
  [[nodiscard]] std::vector<std::shared_ptr<const ProbeState>> states() const;

 private:
  [[nodiscard]] bool has(const Entry& entry) const;

  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace pantryd::probes
