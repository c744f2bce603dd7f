// Looks at the server and the host once a second while a load runs, over a connection of its own
// (application_name "pantryd-load evidence") and on a thread of its own. It never delays the load:
// a look that is late is dropped, and none takes longer than kLookLimit.
//
// A server that cannot be looked at costs the evidence and not the run: EvidenceSeries::note.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "loadgen/evidence/series.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

inline constexpr const char* kEvidenceName = "pantryd-load evidence";

/// The statement of a look: rows of kind, name, value. Kinds: c counter, g gauge, w wait event,
/// l contended relation, o sessions of others by application_name, v workers of autovacuum, p the
/// process of a session of ours, q a text of a statement ("QUERYID TEXT"). `version` such as
/// 150018, 14 to 18; `statements_schema`: of the extension pg_stat_statements; empty without it.
[[nodiscard]] std::string look_sql(int version, const std::string& statements_schema);

class Sampler {
 public:
  static constexpr std::chrono::milliseconds kLookLimit{800};

  /// Connects, and reads the state at the beginning: environment, settings, statements, sizes.
  Sampler(const pg::Conninfo& where, const std::optional<DatasetShape>& dataset,
          Host host = Host());
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  [[nodiscard]] const Environment& environment() const { return environment_; }

  /// Begins to look, now; `measured_from` is second 0.
  void start(SteadyClock::time_point measured_from);
  /// The last look, and the differences. Once, after start(). `measured_from` is second 0, at or
  /// before the moment that start() named, for a warm-up may end sooner than was planned.
  [[nodiscard]] EvidenceSeries finish(SteadyClock::time_point measured_from, double measured_s);

 private:
  static constexpr std::size_t kLooksMax = 3600;  ///< beyond, every second one is dropped

  void begin(const std::optional<DatasetShape>& dataset);
  void connect(std::chrono::milliseconds limit);
  void run();
  void look(std::chrono::milliseconds limit);
  void look_at_server(Look& out, Deadline deadline);
  void take_row(const pg::Result& rows, int row, Look& out, std::vector<std::int64_t>& processes);
  void look_at_processes(const std::vector<std::int64_t>& processes, Look& out);
  /// After a reload or a restart: which settings are others now.
  void look_for_changes(const Look& look, Deadline deadline);
  void note_changes(double at_s, const std::map<std::string, std::string>& now);
  [[nodiscard]] std::map<std::string, std::string> read_settings(Deadline deadline);
  [[nodiscard]] Statements read_statements(Deadline deadline);
  void read_end(EvidenceSeries& out);

  const pg::Conninfo where_;
  const Host host_;
  std::optional<pg::Connection> connection_;
  Environment environment_;
  std::string data_folder_;
  std::string statements_schema_;
  std::map<std::string, std::string> settings_;  ///< name to a hash of the value
  Statements statements_;
  std::map<std::string, std::string> texts_;  ///< queryid to text
  std::string note_;
  std::string missed_;  ///< why the first look that failed did
  SteadyClock::time_point missed_at_;
  std::map<std::int64_t, ProcessTimes> processes_;  ///< of our sessions, as of the last look
  ProcessTimes process_sums_;                       ///< added since the first look
  bool looked_at_processes_ = false;
  std::vector<ServerEvent> changes_;
  std::set<std::string> changed_;              ///< settings that were others at some moment
  std::map<std::string, std::string> latest_;  ///< as settings_, of the last reading

  SteadyClock::time_point measured_from_;
  std::chrono::seconds step_{1};
  StopFlag halt_;
  std::thread thread_;
  std::vector<Look> looks_;
  ObserverCost cost_;
};

}  // namespace pantryd::loadgen
