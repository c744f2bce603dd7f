// What claims are judged by. Plain data: stages.h gathers it, the checks read it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/result/result.h"

namespace pantryd::validate {

/// One load that a claim wants. Claims that want the same load share its run; a claim is never
/// judged by another load.
struct LoadNeed {
  std::string workload;  ///< as for `load run`; empty: the workload of the whole sheet
  loadgen::Mode mode = loadgen::Mode::faithful;
  std::optional<double> rate_per_s;  ///< none: a closed loop over the users
  std::int64_t users = 1;
  std::int64_t connections = 1;
  bool raise_rare = false;  ///< rare operations come often enough to be judged one by one
  /// Of a closed loop: in place of the workload's own time between two operations of a user.
  std::optional<std::chrono::milliseconds> think;
  std::optional<std::chrono::milliseconds> duration;  ///< none: a share of the budget
  std::optional<std::chrono::milliseconds> warmup;    ///< none: until steady
  std::int64_t round = 0;                             ///< repetitions are runs of their own

  friend bool operator==(const LoadNeed&, const LoadNeed&) = default;
};

/// What a check wants to see before it judges.
struct Needs {
  std::vector<LoadNeed> loads;
  /// Statements that the primary answers after the loads, in a read-only transaction with a time
  /// limit. A statement stands for its answer: Evidence::answer() finds it by its text.
  std::vector<std::string> queries;
};

/// A run of one load, or why there is none.
struct LoadRun {
  LoadNeed need;
  std::optional<loadgen::LoadResult> result;
  std::string problem;     ///< why there is no result
  bool forbidden = false;  ///< limits of the server do not allow this load
  std::string file;        ///< of the result in the folder of the report
};

/// One series that a probe read.
struct ServerMetric {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;

  /// Empty where the series has no such label.
  [[nodiscard]] std::string label(const std::string& key) const;
};

/// What the probes saw of one server.
struct ServerEvidence {
  std::string name;
  bool up = false;
  bool standby = false;
  std::string problem;  ///< why it is not up
  std::vector<ServerMetric> metrics;

  /// The first series of this name.
  [[nodiscard]] std::optional<double> value(const std::string& metric) const;
  /// The series of this name with exactly these labels.
  [[nodiscard]] std::optional<double> value(const std::string& metric,
                                            const std::map<std::string, std::string>& labels) const;
};

/// The rows of a statement, as text; nullopt for NULL.
struct Answer {
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::string problem;  ///< why there are no rows: the statement failed, or took too long

  [[nodiscard]] bool readable() const { return problem.empty(); }
  /// None where that is NULL or not there.
  [[nodiscard]] std::optional<std::string> text(std::size_t row, std::size_t column) const;
  /// The first column of the first row as a number; none where that is NULL or not there.
  [[nodiscard]] std::optional<std::int64_t> number() const;
};

struct Evidence {
  std::vector<ServerEvidence> servers;  ///< after the loads
  std::vector<LoadRun> loads;           ///< a run for each distinct need
  std::map<std::string, Answer> answers;

  /// The first server that is up and no standby; null where there is none.
  [[nodiscard]] const ServerEvidence* primary() const;
  /// The run of exactly this load; null where it was not tried.
  [[nodiscard]] const LoadRun* load(const LoadNeed& need) const;
  /// The answer to this statement; null where it was not asked.
  [[nodiscard]] const Answer* answer(const std::string& query) const;
};

}  // namespace pantryd::validate
