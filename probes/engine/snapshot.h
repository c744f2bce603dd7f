// What a probe saw, immutable once made. A page is assembled from these and never touches a server.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "probes/engine/probe_run.h"

namespace pantryd::probes {

using WallClock = std::chrono::system_clock;

/// A probe of a target as it stands. Immutable once it is in a snapshot.
struct ProbeState {
  std::string name;
  std::string database;  ///< for a probe of scope database; else empty
  std::chrono::milliseconds interval{
      0};  ///< in force: longer than the probe's own when it backs off
  Outcome outcome = Outcome::suppressed;  ///< of the last run
  std::string error;
  std::chrono::microseconds duration{0};
  std::chrono::microseconds total_duration{0};
  std::int64_t rows = 0;
  std::int64_t skipped = 0;
  std::int64_t lost = 0;
  std::optional<std::int64_t> other;
  std::array<std::int64_t, kOutcomes.size()> runs{};  ///< by Outcome: how many ended so
  std::vector<std::string> missing_rights;            ///< one of these would let it see all
  std::optional<WallClock::time_point> last_success;
  std::shared_ptr<const std::vector<FamilyText>> families;  ///< of the last success; may be null
  std::shared_ptr<const std::vector<Sample>> samples;  ///< likewise, where values are asked for

  [[nodiscard]] bool ran() const {
    return std::any_of(runs.begin(), runs.end(), [](auto count) { return count > 0; });
  }
};

/// What the last look for databases found, of those that the configuration asks for.
struct DatabaseCounts {
  std::int64_t visited = 0;
  std::int64_t over_limit = 0;  ///< more than databases_max
  std::int64_t denied = 0;      ///< this role may not connect
  std::int64_t invalid = 0;     ///< half dropped: nobody can connect
};

struct TargetSnapshot {
  std::string target;
  bool up = false;  ///< the last attempt to use a connection succeeded
  std::string down_reason;
  bool known_role = false;
  bool is_standby = false;
  int server_version = 0;
  std::optional<PoolStatistics> pool;
  std::optional<DatabaseCounts> databases;
  std::vector<std::shared_ptr<const ProbeState>> probes;

  /// False until the first attempt to use a connection: until then nobody can say whether it is up.
  [[nodiscard]] bool looked() const { return up || !down_reason.empty(); }
};

/// The newest snapshot of each target. A mutex and a pointer: a reader never waits for a probe.
class SnapshotStore {
 public:
  void publish(std::shared_ptr<const TargetSnapshot> snapshot);
  /// The target is watched no more.
  void remove(const std::string& target);
  [[nodiscard]] std::vector<std::shared_ptr<const TargetSnapshot>> all() const;  ///< by name
  /// Null where there is none.
  [[nodiscard]] std::shared_ptr<const TargetSnapshot> find(const std::string& target) const;

  /// How and when the configuration was read last; nothing where it never was.
  struct Reload {
    bool succeeded = false;
    WallClock::time_point at;
  };
  void note_reload(bool succeeded, WallClock::time_point at);
  [[nodiscard]] std::optional<Reload> reload() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const TargetSnapshot>> snapshots_;
  std::optional<Reload> reload_;
};

}  // namespace pantryd::probes
