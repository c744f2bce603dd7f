// What draws the values of a workload, as its file writes it: a plain text, or a map of one kind to
// its arguments, such as {int: [1, 5]}. docs/load-testing.md lists the kinds.
#pragma once

#include <optional>

#include "base/yaml.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

struct ReadGenerator {
  Generator generator;
  std::optional<YamlValue> when;  ///< its condition, which only the operation can make sense of
};

/// `skew`: of the kinds that draw by popularity and do not say their own. Throws Error(usage) that
/// begins with SOURCE:LINE:COLUMN.
[[nodiscard]] ReadGenerator read_generator(const YamlValue& value, double skew);

/// [low, high] of whole numbers. Throws Error(usage) also where low is above high.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> read_range(const YamlValue& value,
                                                               std::int64_t min, std::int64_t max);

}  // namespace pantryd::loadgen
