// `load run`: a workload at a rate for a time, and what came of it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "base/verdict.h"
#include "loadgen/dataset/grocery.h"
#include "loadgen/drive/reactor.h"
#include "loadgen/evidence/series.h"
#include "loadgen/judge/bottleneck.h"
#include "loadgen/judge/self_check.h"
#include "loadgen/result/totals.h"
#include "loadgen/result/windows.h"
#include "loadgen/workload/plan.h"
#include "pg/conninfo.h"
#include "pool/pool.h"

namespace pantryd::loadgen {

enum class Mode { faithful, pipelined };
[[nodiscard]] std::string_view to_string(Mode mode);
/// What a person wrote for `name`, such as --mode. Throws Error(usage).
[[nodiscard]] Mode parse_mode(const std::string& name, const std::string& text);
/// Operations a second; none for "max". Throws Error(usage).
[[nodiscard]] std::optional<double> parse_rate(const std::string& name, const std::string& text);

struct LoadOptions {
  Workload workload;                 ///< see load_workload()
  std::optional<double> rate_per_s;  ///< none: `--rate max`, a closed loop over the users
  std::int64_t users = 0;            ///< 0: as many as connections; never fewer than those
  std::int64_t connections = 10;     ///< 1 to 1000
  std::int64_t threads = 1;          ///< reactors that share them; 1 to 64
  Arrivals arrivals = Arrivals::poisson;
  /// How the rate moves in the measured part. When it is not empty, run_load() sets the duration to
  /// its length and the rate to its mean, and warms up at its first rate.
  RatePlan plan;
  std::string windows_file;  ///< JSON lines of the seconds (loadgen/result/window_file.h); or empty
  /// Times of the pool; its sizes are `connections`, and nothing ages while a run lasts.
  std::optional<PoolSettings> pool;
  std::chrono::milliseconds duration{30'000};
  std::chrono::milliseconds warmup{5'000};
  Mode mode = Mode::faithful;
  std::uint64_t seed = 1;
  std::chrono::milliseconds statement_limit{30'000};
  std::chrono::milliseconds drain_limit{10'000};
  /// Real-time class for the reactor's thread where the system allows it. Off for the control
  /// that must show a starved client.
  bool raise_priority = true;
  /// Looks at the server and the host once a second, over one connection more.
  bool evidence = true;
};

struct OperationResult {
  std::string name;
  std::optional<std::chrono::microseconds> slo_p99;
  OperationTotals totals;
  Verdict verdict = Verdict::inconclusive;
  std::string reason;
};

struct LoadResult {
  LoadOptions options;
  std::string target;  ///< safe to print
  std::string server_version;
  std::vector<std::pair<std::string, std::string>> server_settings;
  std::optional<DatasetShape> dataset;
  std::string started_at;  ///< ISO 8601, UTC
  std::vector<OperationResult> operations;
  RunTotals totals;      ///< its operations are moved into `operations`
  bool stopped = false;  ///< ended early by a person
  bool priority_raised = false;
  double setup_s = 0;         ///< connecting and preparing
  std::string windows_error;  ///< why the file of the windows is not whole; or empty
  Environment environment;
  EvidenceSeries evidence;
  SelfCheck self_check;   ///< filled by judge()
  Bottleneck bottleneck;  ///< filled by judge()
  Verdict verdict = Verdict::inconclusive;
  std::vector<std::string> reasons;  ///< of the verdict, each a sentence

  // Sums over the operations, see OperationTotals.
  [[nodiscard]] std::int64_t offered() const;
  [[nodiscard]] std::int64_t completed() const;
  [[nodiscard]] std::int64_t refused() const;
  [[nodiscard]] std::int64_t empty() const;
  [[nodiscard]] std::int64_t errors() const;
  [[nodiscard]] std::int64_t not_started() const;
  [[nodiscard]] std::int64_t done_in_window() const;
  [[nodiscard]] double completed_per_s() const;  ///< throughput_per_s() of all operations
  [[nodiscard]] double completed_per_s(const OperationResult& operation) const;
  [[nodiscard]] std::int64_t sum_of(std::int64_t OperationTotals::*count) const;
  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.load","version":2,...}
  [[nodiscard]] std::string to_text() const;
};

/// Limits of the server, such as max_connections, leave too few connections for a load.
class NoRoom : public Error {
 public:
  using Error::Error;
};

/// Called once a second by the thread that called run_load().
using ProgressFn = std::function<void(const LiveState&)>;

/// Throws Error: bad options (usage), server unreachable (8), no seeded dataset (failed), a
/// statement that the server refuses to prepare. A server that goes away later is in the result.
[[nodiscard]] LoadResult run_load(const pg::Conninfo& where, const LoadOptions& options,
                                  const ProgressFn& progress = {}, const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
