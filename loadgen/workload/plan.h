// A workload, compiled: what the reactor executes. Everything that can be decided before the run
// is decided here; names are numbers, statements are unique.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "loadgen/workload/invariant.h"
#include "loadgen/workload/operation.h"
#include "loadgen/workload/rate_plan.h"

namespace pantryd::loadgen {

/// Of a closed loop: what its users do between two operations. Times are means of exponential
/// distributions.
struct UserHabits {
  std::chrono::nanoseconds think{0};  ///< 0: the next operation begins at once
  double operations = 0;              ///< of a session, on average; 0: it has no end
  std::chrono::nanoseconds pause{0};  ///< between two sessions
};

struct Workload {
  std::string name;
  std::string source;  ///< the file
  std::vector<Operation> operations;
  std::vector<std::string> statements;  ///< unique texts; prepared as statement_name(i)
  std::vector<int> statement_lines;     ///< in the source, of each's first use; 0: BEGIN, COMMIT
  UserHabits users;
  RatePlan load;  ///< how the rate moves; empty: as the command says
  std::vector<Invariant> invariants;

  [[nodiscard]] bool needs_dataset() const;
  /// The workload with this operation alone, whatever its weight, and with no statements of others.
  /// Throws Error(usage) that lists the names.
  [[nodiscard]] Workload only(const std::string& operation) const;
  /// Without the operations of weight 0 and their statements. Everything that sends operations to
  /// a server uses this: a weight of 0 switches an operation off.
  [[nodiscard]] Workload without_idle() const;
};

[[nodiscard]] std::string statement_name(int statement);

/// Compiles YAML. Every error is Error(usage) whose message begins with "SOURCE:LINE:COLUMN: ".
/// Unknown keys, unknown names and values out of range are errors. docs/load-testing.md has the
/// form; config/workloads/grocery.yaml is the example.
[[nodiscard]] Workload parse_workload(const std::string& text, const std::string& source);
/// A built-in one by its name ("grocery", "grocery-improved"), else a file. Empty: grocery.
[[nodiscard]] Workload load_workload(const std::string& name);

}  // namespace pantryd::loadgen
