// The rules of the header, over what was counted; pure.
#include "loadgen/judge/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "loadgen/judge/backlog.h"
#include "loadgen/judge/bottleneck.h"
#include "loadgen/judge/self_check.h"
#include "loadgen/judge/shares.h"
#include "loadgen/judge/unsteady.h"

namespace pantryd::loadgen {
namespace {

constexpr double kRareShare = 0.03;
constexpr std::int64_t kOfferedMin = 100;

std::string percent(double share) {
  return fmt::format("{:.2f} %", share * 100);
}

Share share_of(const OperationResult& operation) {
  return {operation.totals.misses(), operation.totals.offered, kMissesMax};
}

/// The sentence for an operation whose verdict is set.
std::string reason_of(const OperationResult& operation) {
  const auto& totals = operation.totals;
  if (totals.offered == 0) return "it never ran";
  if (!operation.slo_p99) {
    return fmt::format("{} of {} failed or never started; it has no SLO", totals.misses(),
                       totals.offered);
  }
  const auto limit =
      format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(*operation.slo_p99));
  const auto found =
      fmt::format("{} of {} missed p99 <= {}", totals.misses(), totals.offered, limit);
  const auto [low, high] = share_bounds(totals.misses(), totals.offered);
  if (operation.verdict == Verdict::fail) {
    return fmt::format("{}: at least {}, allowed are 1 %", found, percent(low));
  }
  if (operation.verdict == Verdict::pass) {
    return fmt::format("{}: at most {}", found, percent(high));
  }
  return fmt::format("{}: between {} and {}; {} samples more without a miss would decide", found,
                     percent(low), percent(high), samples_missing(share_of(operation)));
}

/// All operations together, since a run of many must not fail by the chance of one.
void judge_operations(LoadResult& result) {
  std::vector<Share> shares;
  for (const auto& each : result.operations) shares.push_back(share_of(each));
  const auto verdicts = judge_shares(shares);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    auto& operation = result.operations[i];
    operation.verdict = verdicts[i];
    // Without an SLO it is measured, and can only fail.
    if (!operation.slo_p99 && operation.verdict != Verdict::fail) {
      operation.verdict = operation.totals.offered > 0 ? Verdict::pass : Verdict::inconclusive;
    }
    operation.reason = reason_of(operation);
  }
}

/// True when the server missed the SLO by so much that neither the client's lag nor its longest
/// stall, which lengthens what was under way, can be the cause.
bool server_alone_fails(const LoadResult& result, const OperationResult& operation) {
  if (operation.verdict != Verdict::fail || !operation.slo_p99) return false;
  const auto& client = result.totals.client;
  const auto lag_us =
      std::max(client.start_lag.quantile_us(0.99), client.loop.take_over.quantile_us(0.99));
  const auto excuse_us = std::max(10 * lag_us, client.loop.longest_stall_us);
  return operation.totals.service.quantile_us(0.99) - excuse_us > operation.slo_p99->count();
}

/// The operation whose failure needs no other explanation; none when the surroundings were not
/// those that were to be tested.
const OperationResult* clear_failure(const LoadResult& result) {
  for (const auto& finding : result.self_check.findings) {
    if (finding.kind == Finding::Kind::surroundings) return nullptr;
  }
  for (const auto& each : result.operations) {
    if (server_alone_fails(result, each)) return &each;
  }
  return nullptr;
}

/// The server went away and was not there again at the end: no lag of a client does that.
bool gone_for_good(const LoadResult& result) {
  const auto& outages = result.totals.outages;
  return std::any_of(outages.begin(), outages.end(), [](const Outage& each) { return !each.to_s; });
}

/// Rows are missing or wrong after the load: no lag of a client does that either.
bool breaks_an_invariant(const LoadResult& result) {
  return std::any_of(result.invariants.begin(), result.invariants.end(),
                     [](const InvariantResult& each) {
                       return each.outcome() == InvariantResult::Outcome::broken;
                     });
}

/// What speaks for a verdict, collected rule by rule.
struct Verdicts {
  bool fails = false;
  bool unproven = false;       ///< by more than rare operations
  bool rare_unproven = false;  ///< a rare operation has too few samples
  Reason why = Reason::samples;
  std::vector<std::string> reasons;

  void unproven_by(Reason reason, std::string text) {
    if (!unproven) why = reason;
    unproven = true;
    reasons.push_back(std::move(text));
  }
};

void look_at_the_run(const LoadResult& result, Verdicts& out) {
  const auto offered = result.offered();
  if (result.stopped) out.unproven_by(Reason::not_tested, "The run was ended early.");
  if (offered < kOfferedMin) {
    out.unproven_by(Reason::samples, fmt::format("Only {} operations were offered.", offered));
  }
  if (offered > 0 && result.completed() == 0) {
    out.unproven_by(Reason::not_tested,
                    fmt::format("No operation was completed: {} were refused, {} were empty.",
                                result.refused(), result.empty()));
  }
  const bool any_slo =
      std::any_of(result.operations.begin(), result.operations.end(),
                  [](const OperationResult& each) { return each.slo_p99.has_value(); });
  if (!any_slo) {
    out.unproven_by(Reason::not_tested,
                    "No operation has an SLO: the run was measured, not judged.");
  }
  for (const auto& each : result.rows) {
    if (!each.rows) out.unproven_by(Reason::unreadable, each.text() + ".");
    if (each.too_few()) out.unproven_by(Reason::scale, each.text() + ".");
  }
  if (result.options.rate_per_s && backlog_grows(result)) {
    out.unproven_by(Reason::unsteady, "More and more operations waited until the end.");
  }
}

void look_at_failures(const LoadResult& result, Verdicts& out) {
  const Share failed{result.errors() + result.not_started(), result.offered(), kErrorsMax};
  if (failed.samples == 0) return;
  const double share = static_cast<double>(failed.hits) / static_cast<double>(failed.samples);
  if (share <= kErrorsMax) return;
  auto text = fmt::format("{} of the operations failed or never started, allowed are {}.",
                          percent(share), percent(kErrorsMax));
  if (share_bounds(failed.hits, failed.samples).first > kErrorsMax) {
    out.fails = true;
    out.reasons.push_back(std::move(text));
  } else {
    out.unproven_by(Reason::samples, std::move(text));
  }
}

void look_at_operations(const LoadResult& result, Verdicts& out) {
  const auto offered = static_cast<double>(result.offered());
  for (const auto& each : result.operations) {
    if (each.verdict == Verdict::pass) continue;
    auto text = fmt::format("{}: {}.", each.name, each.reason);
    const auto& totals = each.totals;
    if (each.verdict == Verdict::fail) {
      out.fails = true;
      out.reasons.push_back(std::move(text));
    } else if (totals.offered == 0) {
      out.unproven_by(Reason::not_tested, std::move(text));
    } else if (static_cast<double>(totals.offered) < kRareShare * offered && totals.misses() == 0) {
      out.rare_unproven = true;
      out.reasons.push_back(std::move(text));
    } else {
      out.unproven_by(Reason::samples, std::move(text));
    }
  }
}

void look_at_invariants(const LoadResult& result, Verdicts& out) {
  for (const auto& each : result.invariants) {
    const auto outcome = each.outcome();
    if (outcome == InvariantResult::Outcome::held) continue;
    if (outcome == InvariantResult::Outcome::broken) {
      out.fails = true;
      out.reasons.push_back(each.sentence());
    } else {
      out.unproven_by(Reason::unreadable, each.sentence());
    }
  }
}

void conclude(LoadResult& result, Verdicts verdicts) {
  // What a person cut short is no verdict on the server, whichever way it points.
  if (verdicts.fails && !result.stopped) {
    result.verdict = Verdict::fail;
  } else if (verdicts.unproven || verdicts.rare_unproven) {
    result.verdict = Verdict::inconclusive;
    result.reason = verdicts.why;
    result.only_rare_unproven = !verdicts.unproven;
  } else {
    result.verdict = Verdict::pass;
  }
  result.reasons = std::move(verdicts.reasons);
}

}  // namespace

void judge(LoadResult& result) {
  result.reason.reset();
  result.only_rare_unproven = false;
  judge_operations(result);
  result.self_check = check_self(self_check_facts(result));
  result.bottleneck = name_bottleneck(bottleneck_facts(result));
  Verdicts verdicts;
  for (const auto& finding : result.self_check.findings) verdicts.reasons.push_back(finding.text);
  if (!verdicts.reasons.empty() && !result.stopped) {
    const auto* clear = clear_failure(result);
    const bool gone = gone_for_good(result);
    const bool broken = breaks_an_invariant(result);
    if (clear == nullptr && !gone && !broken) {
      result.verdict = Verdict::invalid;
      result.reason = Reason::client;
      result.reasons = std::move(verdicts.reasons);
      return;
    }
    verdicts.reasons.push_back(
        broken ? "That does not explain an invariant that is broken."
        : gone ? "That does not explain a server that went away and did not come back."
               : fmt::format("That does not explain {}: its service time alone misses the SLO.",
                             clear->name));
  }
  look_at_invariants(result, verdicts);
  // Neither way: what the server does when it has warmed up was not measured.
  if (auto why = unsteady_reason(result); !verdicts.fails && !why.empty()) {
    result.verdict = Verdict::inconclusive;
    result.reason = Reason::unsteady;
    result.reasons = {std::move(why)};
    return;
  }
  look_at_the_run(result, verdicts);
  look_at_failures(result, verdicts);
  look_at_operations(result, verdicts);
  conclude(result, std::move(verdicts));
}

}  // namespace pantryd::loadgen
