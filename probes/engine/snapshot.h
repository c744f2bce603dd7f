// What a probe saw, immutable once made. A page is assembled from these and never touches a server.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pantryd::probes {

using WallClock = std::chrono::system_clock;

/// How a run of a probe ended. Absence of data always has a reason, and the reason is a metric.
enum class Outcome {
  ok,
  error,           ///< the server refused the statement, or is not there
  timeout,         ///< the probe's deadline
  lock_skipped,    ///< a lock was in the way for longer than lock_timeout
  not_applicable,  ///< not for this role, version, or without the extension
  suppressed,      ///< not run on purpose
};
inline constexpr std::array kOutcomes{
    Outcome::ok,           Outcome::error,          Outcome::timeout,
    Outcome::lock_skipped, Outcome::not_applicable, Outcome::suppressed};
[[nodiscard]] std::string_view to_string(Outcome outcome);

enum class MetricType { gauge, counter, untyped, histogram };

struct MetricInfo {
  std::string name;
  MetricType type = MetricType::gauge;
  std::string help;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  std::shared_ptr<const MetricInfo> metric;
  Labels labels;
  double value = 0;
};

/// One run of one probe.
struct ProbeRun {
  Outcome outcome = Outcome::ok;
  std::vector<Sample> samples;
  std::int64_t rows = 0;
  std::chrono::microseconds duration{0};
  std::string error;  ///< one line, without secrets; empty when all is well
};

/// A probe of a target as it stands.
struct ProbeState {
  std::string name;
  std::chrono::milliseconds interval{0};
  Outcome outcome = Outcome::suppressed;  ///< of the last run
  std::string error;
  std::chrono::microseconds duration{0};
  std::int64_t rows = 0;
  std::map<Outcome, std::int64_t> runs;  ///< how many ended so
  std::optional<WallClock::time_point> last_success;
  std::shared_ptr<const std::vector<Sample>> samples;  ///< of the last success; may be null
};

struct TargetSnapshot {
  std::string target;
  bool up = false;  ///< the last attempt to use a connection succeeded
  std::string down_reason;
  bool known_role = false;
  bool is_standby = false;
  int server_version = 0;
  std::vector<ProbeState> probes;
};

/// The newest snapshot of each target. A mutex and a pointer: a reader never waits for a probe.
class SnapshotStore {
 public:
  void publish(std::shared_ptr<const TargetSnapshot> snapshot);
  [[nodiscard]] std::vector<std::shared_ptr<const TargetSnapshot>> all() const;  ///< by name

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const TargetSnapshot>> snapshots_;
};

}  // namespace pantryd::probes
