// Watches one target: runs its probes when they are due and publishes a snapshot after each.
// Targets do not know of each other.
//
// Three lanes, so that what is slow in one does not keep the others waiting: two threads for the
// probes of the whole cluster, on two pooled connections; one for those of scope database, which
// goes from database to database with one connection; one for the probes that need no server.
// So a target never sees more than three connections, and a probe never runs twice at a time.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/stop.h"
#include "pg/connection.h"
#include "pool/pool.h"
#include "probes/engine/coded.h"
#include "probes/engine/run.h"
#include "probes/engine/snapshot.h"

namespace pantryd::probes {

struct WatchOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds lock_timeout{100};
  ProbeParameters parameters;
  /// Of its time a probe may spend so much at work; one that needs more runs less often, but at
  /// least once in ten of its intervals.
  double busy_share = 0.02;
  /// Shell patterns of the databases that probes of scope database visit; the names that fit one of
  /// `include` and none of `exclude`. At most databases_max: the target's own first, then in the
  /// order of their names.
  std::vector<std::string> include{"*"};
  std::vector<std::string> exclude;
  std::int32_t databases_max = 100;
  bool with_samples = false;  ///< keep values besides text, for who judges them
};

struct WatchedTarget {
  std::string name;
  Login login;  ///< asked at each connect, so that a password may rotate
  std::vector<LocalProbe> local_probes;
  std::vector<ServerProbe> server_probes;
  /// What a watcher before this one saw of the same server, to go on from: its values are shown,
  /// with their age, until the probe has run again. Of a probe that is not there any more, or in
  /// which something changed, nothing may be in it. Null: nothing is known.
  std::shared_ptr<const TargetSnapshot> before;
};

class Watcher {
 public:
  /// Nothing runs yet.
  Watcher(WatchedTarget target, std::shared_ptr<const std::vector<ProbeSpec>> specs,
          WatchOptions options, SnapshotStore& store);
  ~Watcher();  ///< stops the threads, interrupting what they wait for
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void start();
  /// Asks the threads to end; returns at once.
  void request_stop();

  /// Every probe once, in the calling thread (check, metrics). Not together with start().
  void run_all_once(const StopFlag* stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pantryd::probes
