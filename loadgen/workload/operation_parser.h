// Compiles one operation of a workload file: its values, its steps and their conditions.
#pragma once

#include "base/yaml.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

/// What an operation has when it does not say else.
struct OperationDefaults {
  double skew = 0;
  RetryPolicy retries;
};

/// A number, or {most, pause, pause_max}; what is missing is as in `otherwise`.
[[nodiscard]] RetryPolicy read_retries(const YamlValue& value, RetryPolicy otherwise);

/// Adds the operation and its statements to `workload`. Throws Error(usage) that begins with
/// SOURCE:LINE:COLUMN.
void parse_operation(const YamlValue& value, const OperationDefaults& defaults, Workload& workload);

}  // namespace pantryd::loadgen
