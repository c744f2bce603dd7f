// Rule zero: a claim is never better than its evidence. What a load is found to be limits the
// verdict of every claim that is judged by it. The table is data; docs/load-testing.md shows it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/verdict.h"
#include "loadgen/result/result.h"
#include "validate/claim.h"

namespace pantryd::validate {

/// What a load is found to be; it may be several at once. In the order in which they decide.
enum class LoadFinding {
  surroundings,  ///< INVALID: the server, its settings or its neighbours changed meanwhile
  client,        ///< INVALID: the load generator was the limit
  stopped,       ///< a person ended it
  invariant,     ///< an invariant of the workload is broken
  unsettled,     ///< the server still changed: times fell, or a backlog of the warm-up was there
  unsteady,      ///< the backlog grew until the end, so no rate was reached
  few,           ///< too few operations to judge anything
  errors,        ///< more errors than the claim allows
  not_started,   ///< operations that were due never began
  outage,        ///< connections were lost in the measured window
  unread,        ///< an invariant of the workload could not be read
  slo,           ///< an operation missed the SLO of its workload
  samples,       ///< an operation had too few samples for its SLO
};
inline constexpr std::array kLoadFindings{
    LoadFinding::surroundings, LoadFinding::client,   LoadFinding::stopped, LoadFinding::invariant,
    LoadFinding::unsettled,    LoadFinding::unsteady, LoadFinding::few,     LoadFinding::errors,
    LoadFinding::not_started,  LoadFinding::outage,   LoadFinding::unread,  LoadFinding::slo,
    LoadFinding::samples};
/// As in the table of docs/load-testing.md.
[[nodiscard]] std::string_view to_string(LoadFinding finding);

/// A claim with a percentile has a limit of its own in place of the workload's SLOs.
enum class ClaimKind { throughput, throughput_percentile, users, latency };
inline constexpr std::array kClaimKinds{ClaimKind::throughput, ClaimKind::throughput_percentile,
                                        ClaimKind::users, ClaimKind::latency};
[[nodiscard]] std::string_view to_string(ClaimKind kind);

/// The best verdict that a claim can have.
struct Best {
  Verdict verdict = Verdict::pass;
  std::optional<Reason> reason;
  /// Not even a FAIL of the claim holds: the load is evidence neither way.
  bool replaces_fail = false;
};
[[nodiscard]] Best best_verdict(LoadFinding finding, ClaimKind kind);

/// A finding with its sentence for the evidence of a claim.
struct Found {
  LoadFinding finding;
  std::string text;
};
/// In the order of LoadFinding; empty for a load that limits nothing. `errors_max` is the share of
/// the operations that may fail, and separately that may never start.
[[nodiscard]] std::vector<Found> findings_of(const loadgen::LoadResult& load, double errors_max);

/// Lowers `out` to what the findings allow, with their sentences as evidence.
void apply_rule_zero(const std::vector<Found>& findings, ClaimKind kind, Judgement& out);

/// The table as it is in docs/load-testing.md.
[[nodiscard]] std::string rule_zero_markdown();

}  // namespace pantryd::validate
