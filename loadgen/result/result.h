// What came of a load: plain data, filled by drive/ and judge/, shown by report/.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/verdict.h"
#include "loadgen/dataset/count.h"
#include "loadgen/dataset/grocery.h"
#include "loadgen/evidence/series.h"
#include "loadgen/result/findings.h"
#include "loadgen/result/invariants.h"
#include "loadgen/result/options.h"
#include "loadgen/result/service_times.h"
#include "loadgen/result/totals.h"

namespace pantryd::loadgen {

struct OperationResult {
  std::string name;
  std::optional<std::chrono::microseconds> slo_p99;
  OperationTotals totals;
  ServiceBlocks service_over_time;  ///< by end, in the measured window
  Verdict verdict = Verdict::inconclusive;
  std::string reason;
};

/// The part of a run before its measured window.
struct WarmUpFacts {
  double lasted_s = 0;
  bool until_steady = false;  ///< else its length was given
  double limit_s = 0;
  bool limit_reached = false;  ///< and the service times still fell, or nobody could say
  std::string text;            ///< what ended it, or what still moved; a sentence
};

struct LoadResult {
  LoadOptions options;
  std::string target;  ///< safe to print
  std::string server_version;
  std::vector<std::pair<std::string, std::string>> server_settings;
  std::optional<DatasetShape> dataset;  ///< by the ledger of the seed
  std::vector<RowCount> rows;           ///< of the dataset, after the load; empty: not counted
  std::string started_at;               ///< ISO 8601, UTC
  std::vector<OperationResult> operations;
  RunTotals totals;      ///< its operations are moved into `operations`
  bool stopped = false;  ///< ended early by a person
  bool priority_raised = false;
  WarmUpFacts warm_up;
  double setup_s = 0;                       ///< connecting and preparing
  std::string windows_error;                ///< why the file of the windows is not whole; or empty
  std::vector<InvariantResult> invariants;  ///< in the order of the workload
  Environment environment;
  EvidenceSeries evidence;
  SelfCheck self_check;   ///< filled by judge()
  Bottleneck bottleneck;  ///< filled by judge()
  Verdict verdict = Verdict::inconclusive;
  std::optional<Reason> reason;  ///< of INCONCLUSIVE and INVALID
  /// INCONCLUSIVE only because operations that are rare have too few samples; none of them missed.
  bool only_rare_unproven = false;
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

 private:
  [[nodiscard]] std::int64_t sum_of(std::int64_t OperationTotals::*count) const;
};

}  // namespace pantryd::loadgen
