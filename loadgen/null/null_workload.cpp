// Makes a workload runnable against a server that keeps no rows.
#include "loadgen/null/null_server.h"

namespace pantryd::loadgen {

Workload null_workload(Workload workload) {
  workload.invariants.clear();
  for (auto& operation : workload.operations) {
    operation.slo_p99.reset();
    operation.refusals.clear();
    for (auto& variable : operation.variables) {
      if (!variable.generator || !variable.generator->needs_dataset()) continue;
      Generator fresh;
      fresh.kind = Generator::Kind::uuid;
      fresh.when = variable.generator->when;
      variable.generator = fresh;
    }
    for (auto& step : operation.steps) {
      if (step.when &&
          !operation.variables[static_cast<std::size_t>(step.when->variable)].generator) {
        step.when.reset();
      }
      step.captures.clear();
      step.expect_rows.reset();
    }
  }
  return workload;
}

}  // namespace pantryd::loadgen
