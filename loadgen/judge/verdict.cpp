// The rules of the header, over what was counted; pure.
#include "loadgen/judge/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "loadgen/judge/bottleneck.h"
#include "loadgen/judge/self_check.h"

namespace pantryd::loadgen {
namespace {

constexpr double kRareShare = 0.03;
constexpr std::int64_t kSamplesMin = 100;

std::string percent(double share) {
  return fmt::format("{:.2f} %", share * 100);
}

void judge_operation(OperationResult& operation) {
  const auto& totals = operation.totals;
  if (!operation.slo_p99) {
    const bool fails = wilson_interval(totals.misses(), totals.offered).first > kMissesMax;
    operation.verdict =
        fails ? Verdict::fail : (totals.completed > 0 ? Verdict::pass : Verdict::inconclusive);
    operation.reason = fmt::format("{} of {} failed or never started; it has no SLO",
                                   totals.misses(), totals.offered);
    return;
  }
  const auto limit =
      format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(*operation.slo_p99));
  const auto [low, high] = wilson_interval(totals.misses(), totals.offered);
  const auto found =
      fmt::format("{} of {} missed p99 <= {}", totals.misses(), totals.offered, limit);
  if (low > kMissesMax) {
    operation.verdict = Verdict::fail;
    operation.reason = fmt::format("{}: at least {}, allowed are 1 %", found, percent(low));
  } else if (high <= kMissesMax) {
    operation.verdict = Verdict::pass;
    operation.reason = fmt::format("{}: at most {}", found, percent(high));
  } else {
    operation.verdict = Verdict::inconclusive;
    operation.reason =
        fmt::format("{}: between {} and {}, too few to say", found, percent(low), percent(high));
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

}  // namespace

std::pair<double, double> wilson_interval(std::int64_t hits, std::int64_t samples) {
  if (samples <= 0) return {0, 1};
  constexpr double z = 1.96;
  const auto n = static_cast<double>(samples);
  const double share = static_cast<double>(hits) / n;
  const double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

void judge(LoadResult& result) {
  for (auto& operation : result.operations) judge_operation(operation);
  const auto offered = result.offered();
  result.self_check = check_self(self_check_facts(result));
  result.bottleneck = name_bottleneck(bottleneck_facts(result));
  std::vector<std::string> reasons;
  for (const auto& finding : result.self_check.findings) reasons.push_back(finding.text);
  if (!reasons.empty() && !result.stopped) {
    const auto* clear = clear_failure(result);
    const bool gone = gone_for_good(result);
    if (clear == nullptr && !gone) {
      result.verdict = Verdict::invalid;
      result.reasons = std::move(reasons);
      return;
    }
    reasons.push_back(gone ? "That does not explain a server that went away and did not come back."
                           : fmt::format("That does not explain {}: its service time alone misses "
                                         "the SLO.",
                                         clear->name));
  }
  bool fails = false;
  bool unproven = result.stopped || offered < kSamplesMin;
  if (result.stopped) reasons.emplace_back("The run was ended early.");
  if (offered < kSamplesMin) {
    reasons.push_back(fmt::format("Only {} operations were offered.", offered));
  }
  if (offered > 0 && result.completed() == 0) {
    unproven = true;
    reasons.push_back(fmt::format("No operation was completed: {} were refused, {} were empty.",
                                  result.refused(), result.empty()));
  }
  const auto failed = result.errors() + result.not_started();
  const double failed_share =
      offered > 0 ? static_cast<double>(failed) / static_cast<double>(offered) : 0;
  if (failed_share > kErrorsMax) {
    fails = true;
    reasons.push_back(fmt::format("{} of the operations failed or never started, allowed are {}.",
                                  percent(failed_share), percent(kErrorsMax)));
  }
  for (const auto& each : result.operations) {
    if (each.verdict == Verdict::pass || each.totals.offered == 0) continue;
    const bool rare =
        static_cast<double>(each.totals.offered) < kRareShare * static_cast<double>(offered) &&
        each.totals.misses() == 0;
    fails = fails || each.verdict == Verdict::fail;
    unproven = unproven || (each.verdict == Verdict::inconclusive && !rare);
    reasons.push_back(
        fmt::format("{}: {}{}.", each.name, each.reason, rare ? " (rare, and none missed)" : ""));
  }
  // What a person cut short is no verdict on the server, whichever way it points.
  if (result.stopped) {
    result.verdict = Verdict::inconclusive;
  } else if (fails) {
    result.verdict = Verdict::fail;
  } else {
    result.verdict = unproven ? Verdict::inconclusive : Verdict::pass;
  }
  result.reasons = std::move(reasons);
}

}  // namespace pantryd::loadgen
