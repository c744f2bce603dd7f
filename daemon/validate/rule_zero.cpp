// Invariant: kTable has a row for each LoadFinding, in its order, and a cell for each ClaimKind.
#include "validate/rule_zero.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "loadgen/judge/backlog.h"
#include "loadgen/judge/unsteady.h"
#include "validate/promises.h"

namespace pantryd::validate {
namespace {

constexpr std::int64_t kOfferedMin = 100;

constexpr Best kPass{};
constexpr Best kFail{Verdict::fail, std::nullopt, false};

constexpr Best invalid(Reason reason) {
  return {Verdict::invalid, reason, true};
}
/// The load is evidence neither for the claim nor against it.
constexpr Best undecided(Reason reason) {
  return {Verdict::inconclusive, reason, true};
}
/// The load cannot carry a PASS, but a FAIL of the claim holds.
constexpr Best no_pass(Reason reason) {
  return {Verdict::inconclusive, reason, false};
}

struct Row {
  LoadFinding finding;
  const char* words;
  std::array<Best, kClaimKinds.size()> best;
};

constexpr std::array<Row, kLoadFindings.size()> kTable{{
    {LoadFinding::surroundings,
     "INVALID by its surroundings",
     {invalid(Reason::load), invalid(Reason::load), invalid(Reason::load), invalid(Reason::load)}},
    {LoadFinding::client,
     "INVALID by the client",
     {invalid(Reason::client), invalid(Reason::client), invalid(Reason::client),
      invalid(Reason::client)}},
    {LoadFinding::stopped,
     "ended by a person",
     {undecided(Reason::load), undecided(Reason::load), undecided(Reason::load),
      undecided(Reason::load)}},
    {LoadFinding::invariant,
     "FAIL: an invariant of the workload is broken",
     {kFail, kFail, kFail, kFail}},
    {LoadFinding::unsettled,
     "service times that still fall, or a backlog of the warm-up",
     {undecided(Reason::unsteady), undecided(Reason::unsteady), undecided(Reason::unsteady),
      undecided(Reason::unsteady)}},
    {LoadFinding::unsteady,
     "a backlog that grows",
     {no_pass(Reason::unsteady), no_pass(Reason::unsteady), no_pass(Reason::unsteady),
      no_pass(Reason::unsteady)}},
    {LoadFinding::few,
     "fewer than 100 operations",
     {no_pass(Reason::samples), no_pass(Reason::samples), no_pass(Reason::samples),
      no_pass(Reason::samples)}},
    {LoadFinding::errors, "more errors than `errors_max`", {kFail, kFail, kFail, kFail}},
    {LoadFinding::not_started, "operations that never started", {kFail, kFail, kFail, kFail}},
    {LoadFinding::outage, "an outage in the measured window", {kFail, kFail, kFail, kFail}},
    {LoadFinding::unread,
     "an invariant of the workload that could not be read",
     {no_pass(Reason::unreadable), no_pass(Reason::unreadable), no_pass(Reason::unreadable),
      no_pass(Reason::unreadable)}},
    {LoadFinding::slo,
     "FAIL: an SLO of the workload was missed",
     {no_pass(Reason::load), kPass, kFail, kPass}},
    {LoadFinding::samples,
     "INCONCLUSIVE: rare operations have too few samples",
     {kPass, no_pass(Reason::samples), kPass, no_pass(Reason::samples)}},
}};

const Row& row_of(LoadFinding finding) {
  const auto& row = kTable.at(static_cast<std::size_t>(finding));
  PANTRYD_ASSERT(row.finding == finding);
  return row;
}

std::string first_reason(const loadgen::LoadResult& load, const char* otherwise) {
  return load.reasons.empty() ? otherwise : load.reasons.front();
}

/// INVALID runs, by what made them so.
void add_invalid(const loadgen::LoadResult& load, std::vector<Found>& out) {
  if (load.verdict != Verdict::invalid) return;
  bool any = false;
  for (const auto& finding : load.self_check.findings) {
    any = true;
    const bool surroundings = finding.kind == loadgen::Finding::Kind::surroundings;
    out.push_back({surroundings ? LoadFinding::surroundings : LoadFinding::client, finding.text});
  }
  if (!any) out.push_back({LoadFinding::client, first_reason(load, "the client limited the run")});
}

/// Settings that were off in a second of the run, although they may be on at both ends.
void add_undurable(const loadgen::LoadResult& load, std::vector<Found>& out) {
  for (const char* setting : {"fsync", "full_page_writes", "synchronous_commit"}) {
    const auto off = [&](const auto& second) {
      const auto found = second.gauges.find(setting);
      return found != second.gauges.end() && found->second == 0;
    };
    const auto& seconds = load.evidence.seconds;
    if (std::any_of(seconds.begin(), seconds.end(), off)) {
      out.push_back(
          {LoadFinding::surroundings, fmt::format("{} was off during the load", setting)});
    }
  }
  if (weakened_commit(load.options.workload)) {
    out.push_back(
        {LoadFinding::surroundings,
         "the workload itself sets synchronous_commit, so it is not the server's promise"});
  }
}

/// Lost work: failed, never started, or cut off.
void add_lost(const loadgen::LoadResult& load, double errors_max, std::vector<Found>& out) {
  const auto offered = static_cast<double>(std::max<std::int64_t>(1, load.offered()));
  const auto add = [&](LoadFinding finding, std::int64_t count, const char* what) {
    const double share = static_cast<double>(count) / offered;
    if (share <= errors_max) return;
    out.push_back({finding, fmt::format("{:.2f} % of the operations {}, allowed are {:.2f} %",
                                        share * 100, what, errors_max * 100)});
  };
  add(LoadFinding::errors, load.errors(), "failed");
  add(LoadFinding::not_started, load.not_started(), "never started");
  const auto& outages = load.totals.outages;
  const auto measured = std::find_if(outages.begin(), outages.end(), [&](const auto& outage) {
    return outage.from_s < load.totals.client.measured_s && (!outage.to_s || *outage.to_s > 0);
  });
  if (measured == outages.end()) return;
  out.push_back({LoadFinding::outage, fmt::format("connections were lost at {:.1f} s: {}",
                                                  measured->from_s, measured->first_error)});
}

/// What the invariants of the workload say.
void add_invariants(const loadgen::LoadResult& load, std::vector<Found>& out) {
  using Outcome = loadgen::InvariantResult::Outcome;
  for (const auto& each : load.invariants) {
    const auto outcome = each.outcome();
    if (outcome == Outcome::held) continue;
    out.push_back({outcome == Outcome::broken ? LoadFinding::invariant : LoadFinding::unread,
                   each.sentence()});
  }
}

/// What the SLOs of the workload say.
void add_slos(const loadgen::LoadResult& load, std::vector<Found>& out) {
  std::string missed;
  std::string unproven;
  for (const auto& each : load.operations) {
    if (!each.slo_p99) continue;
    auto* list = each.verdict == Verdict::fail           ? &missed
                 : each.verdict == Verdict::inconclusive ? &unproven
                                                         : nullptr;
    if (list != nullptr) *list += (list->empty() ? "" : ", ") + each.name;
  }
  if (!missed.empty()) out.push_back({LoadFinding::slo, "SLO missed by " + missed});
  // A FAIL that none of the findings explains still limits the claim.
  const bool explained = std::any_of(out.begin(), out.end(), [](const Found& found) {
    return best_verdict(found.finding, ClaimKind::users).verdict == Verdict::fail;
  });
  if (load.verdict == Verdict::fail && !explained) {
    out.push_back({LoadFinding::slo, first_reason(load, "the load is FAIL")});
  }
  if (!unproven.empty()) {
    out.push_back({LoadFinding::samples, "too few samples for the SLO of " + unproven});
  }
}

}  // namespace

std::string_view to_string(LoadFinding finding) {
  return row_of(finding).words;
}

std::string_view to_string(ClaimKind kind) {
  switch (kind) {
    case ClaimKind::throughput:
      return "throughput";
    case ClaimKind::throughput_percentile:
      return "throughput with a percentile";
    case ClaimKind::users:
      return "users";
    case ClaimKind::latency:
      return "latency";
  }
  return {};
}

Best best_verdict(LoadFinding finding, ClaimKind kind) {
  return row_of(finding).best.at(static_cast<std::size_t>(kind));
}

std::vector<Found> findings_of(const loadgen::LoadResult& load, double errors_max) {
  std::vector<Found> out;
  add_invalid(load, out);
  add_undurable(load, out);
  if (load.stopped) out.push_back({LoadFinding::stopped, "the run was ended early"});
  if (auto why = loadgen::unsteady_reason(load); !why.empty()) {
    out.push_back({LoadFinding::unsettled, std::move(why)});
  }
  if (load.options.rate_per_s && loadgen::backlog_grows(load)) {
    out.push_back({LoadFinding::unsteady, "more and more operations waited until the end"});
  }
  if (load.offered() < kOfferedMin) {
    out.push_back(
        {LoadFinding::few, fmt::format("only {} operations were offered", load.offered())});
  }
  add_lost(load, errors_max, out);
  add_invariants(load, out);
  add_slos(load, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Found& a, const Found& b) { return a.finding < b.finding; });
  return out;
}

void apply_rule_zero(const std::vector<Found>& findings, ClaimKind kind, Judgement& out) {
  bool decided = false;
  for (const auto& found : findings) {
    const auto best = best_verdict(found.finding, kind);
    if (best.verdict == Verdict::pass) continue;
    out.evidence.push_back(found.text);
    if (decided) continue;
    if (best.replaces_fail) {
      decided = true;
      out.verdict = best.verdict;
      out.reason = best.reason;
    } else if (best.verdict == Verdict::fail) {
      decided = true;
      out.fail();
    } else if (out.verdict == Verdict::pass) {
      out.verdict = best.verdict;
      out.reason = best.reason;
    }
  }
}

std::string rule_zero_markdown() {
  std::string out = "| the load |";
  std::string line = "|---|";
  for (const auto kind : kClaimKinds) {
    out += fmt::format(" {} |", to_string(kind));
    line += "---|";
  }
  out += "\n" + line + "\n| PASS |";
  for (std::size_t i = 0; i < kClaimKinds.size(); ++i) out += " PASS |";
  out += "\n";
  for (const auto& row : kTable) {
    out += fmt::format("| {} |", row.words);
    for (const auto& best : row.best) {
      out += best.reason ? fmt::format(" {}{} ({}) |", to_string(best.verdict),
                                       best.verdict == Verdict::inconclusive && !best.replaces_fail
                                           ? " or FAIL"
                                           : "",
                                       to_string(*best.reason))
                         : fmt::format(" {} |", to_string(best.verdict));
    }
    out += "\n";
  }
  return out;
}

}  // namespace pantryd::validate
