// What a run's server and host did, second by second, on the axis of the load: seconds since the
// measured part began, negative in the warm-up. Looks are cumulative counters as they were read;
// everything else is a pure function of them.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/evidence/environment.h"
#include "loadgen/evidence/facts.h"
#include "loadgen/evidence/surroundings.h"

namespace pantryd::loadgen {

/// Between two looks. Shares are 0 to 1 of all processors, or of the disk's time.
struct EvidenceSecond {
  double from_s = 0;
  double to_s = 0;
  double took_ms = 0;
  std::map<std::string, double> per_s;  ///< counters
  std::map<std::string, double> gauges;
  std::map<std::string, std::int64_t> waits;
  std::optional<double> cpu_busy, cpu_iowait, cpu_steal;
  std::optional<double> disk_busy, disk_read_bytes_per_s, disk_write_bytes_per_s;
};

/// A row of pg_stat_statements, in this database. The text is of a session seen at work with it.
struct StatementCounts {
  std::string text;
  double calls = 0, time_ms = 0, rows = 0;
  double blocks_hit = 0, blocks_read = 0, wal_bytes = 0;
};
using Statements = std::map<std::string, StatementCounts>;  ///< by queryid

struct TableGrowth {
  std::string name;
  std::int64_t table_bytes = 0, index_bytes = 0;              ///< at the end
  std::int64_t table_grown_bytes = 0, index_grown_bytes = 0;  ///< since the beginning
};

struct EvidenceSeries {
  std::vector<EvidenceSecond> seconds;
  std::map<std::string, double> totals;       ///< counters, whole run with its warm-up
  std::map<std::string, std::int64_t> waits;  ///< of the measured part, summed over looks
  std::map<std::string, std::int64_t> contended;
  std::vector<std::pair<std::string, StatementCounts>> statements;  ///< kStatementsMax by time
  std::vector<TableGrowth> tables;
  HostFacts host;
  ServerFacts server;
  Surroundings surroundings;
  ObserverCost observer;
  std::string note;  ///< why something is missing; a sentence

  static constexpr std::size_t kStatementsMax = 10;
  [[nodiscard]] nlohmann::ordered_json to_json() const;
};

/// seconds, totals, waits, contended, host, surroundings, and of server all but changed_settings;
/// `changes` are the settings that changed, as ServerEvent "settings". A counter that
/// went back (restart, reset) is left out of that second and counts from 0 in the totals.
/// `measured_s`: the length of the measured part; what is looked at after it is the drain.
[[nodiscard]] EvidenceSeries differences(const std::vector<Look>& looks, double measured_s,
                                         const std::vector<ServerEvent>& changes = {});

/// The ones with most time, the most first.
[[nodiscard]] std::vector<std::pair<std::string, StatementCounts>> top_statements(
    const Statements& before, const Statements& after, std::size_t count);

[[nodiscard]] std::vector<TableGrowth> growth(const std::vector<RelationSize>& before,
                                              const std::vector<RelationSize>& after);

/// Keeps every second look, from the first on: cumulative counters lose nothing by it.
void thin(std::vector<Look>& looks);

}  // namespace pantryd::loadgen
