// `load find-max`: the search of find_max.h, run against a server. Between trials it waits until
// nothing of the last one is left, so that no trial pays for another.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/capacity/find_max.h"
#include "loadgen/result/result.h"
#include "pg/conninfo.h"

namespace pantryd::loadgen {

/// What is done about checkpoints before each confirmation: the minutes after one are the dearest,
/// since every page is written whole again.
enum class Checkpoints {
  none,
  ask,   ///< CHECKPOINT; where our role may not, none
  wait,  ///< until the server makes one, at most checkpoint_timeout and half a minute
};
[[nodiscard]] std::string_view to_string(Checkpoints checkpoints);

struct CeilingOptions {
  LoadOptions load;  ///< its rate, duration and warm-up are the search's to choose
  SearchSettings search;
  /// For every operation, in place of what the workload says.
  std::optional<std::chrono::microseconds> slo_p99;
  Checkpoints checkpoints = Checkpoints::ask;
  std::chrono::milliseconds settle_limit{30'000};
  std::string only;  ///< the one operation that `load.workload` was cut down to; or empty
};

/// The data set after each trial, in the order of SearchResult::points; -1: not known.
struct Growth {
  std::int64_t before_bytes = -1;
  std::vector<std::int64_t> after_bytes;
};

struct Ceiling {
  CeilingOptions options;
  SearchResult search;
  std::string target;  ///< safe to print
  std::string server_version;
  std::optional<DatasetShape> dataset;
  std::string started_at;  ///< ISO 8601, UTC
  double taken_s = 0;
  Growth growth;
  /// Commits and rollbacks of the database over operations, in the confirmations: what turns the
  /// ceiling into the unit in which pg_stat_database counts the demand.
  std::optional<double> transactions_per_operation;
  std::int64_t checkpoints_seen = 0;  ///< completed from the first confirmation to the end
  std::vector<std::string> notes;     ///< what could not be done, each a sentence
};

struct CeilingProgress {
  std::function<void(const Trial&, std::size_t number)> begins;  ///< number: 1, 2, ...
  std::function<void(const SearchPoint&)> ended;
};

/// What a trial means to the search: the verdict of the run, but FAIL for a backlog that grew,
/// though it has not reached the SLO yet, and PASS where only rare operations are unproven.
[[nodiscard]] TrialOutcome outcome_of(const LoadResult& result);

/// Throws Error as run_load() does, and Error(usage) when no operation has an SLO.
[[nodiscard]] Ceiling find_ceiling(const pg::Conninfo& where, const CeilingOptions& options,
                                   const CeilingProgress& progress = {},
                                   const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
