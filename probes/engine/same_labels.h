// Rows of one answer whose labels are equal: they would be one series with several values. The
// probe's file says what becomes of them (key same_labels); without a rule the first is exported,
// and the others are counted as lost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/engine/bound.h"
#include "probes/engine/query_spec.h"

namespace pantryd::probes {

/// The rule for this metric: its own, else that of its query.
[[nodiscard]] SameLabels rule_of(const QuerySpec& query, std::size_t metric);
/// True when no value of such rows is lost.
[[nodiscard]] bool merges_all(const QuerySpec& query);

/// Adds the value of one more row. NaN is unknown: the largest and the smallest are those of the
/// known values; a sum of which a part is unknown is unknown.
void merge_value(SameLabels rule, double& into, double value);

/// Merges rows of a bounded query. Returns how many rows were lost.
std::int64_t merge_same_labels(const QuerySpec& query, std::vector<BoundRow>& rows);

/// The label that tells rows apart under the rule `number`: absent in the first, then 2, 3, ...
inline constexpr const char* kRowLabel = "row";

}  // namespace pantryd::probes
