// No state.
#include "loadgen/drive/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kLagSamplesMin = 100;
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

std::vector<std::string> client_limits(const LoadResult& result) {
  std::vector<std::string> out;
  const auto& client = result.totals.client;
  const auto lag_us = client.start_lag.quantile_us(0.99);
  const double busiest =
      std::max(client.busiest_cpu_s, client.cpu_s / static_cast<double>(client.threads));
  const double share = client.measured_s > 0 ? busiest / client.measured_s : 0;
  if (client.start_lag.count() >= kLagSamplesMin && lag_us > kStartLagMaxUs) {
    out.push_back(fmt::format(
        "The client was late: start lag p99 {:.1f} ms, allowed are {:.1f} ms; it worked {:.0f} % "
        "of "
        "the time and waited {:.0f} % of it for a processor.",
        static_cast<double>(lag_us) / 1000, static_cast<double>(kStartLagMaxUs) / 1000, 100 * share,
        client.measured_s > 0 ? 100 * client.cpu_wait_s / client.measured_s : 0));
  }
  if (share > kClientCpuMax) {
    out.push_back(fmt::format("The client was busy: {:.0f} % of its core.", share * 100));
  }
  if (result.options.rate_per_s && !result.stopped) {
    const double planned = *result.options.rate_per_s * client.measured_s;
    const double off = std::abs(static_cast<double>(result.offered()) - planned);
    if (off > 0.01 * planned && off > 5 * std::sqrt(planned)) {
      out.push_back(fmt::format("The arrivals are not the plan's: {} instead of {:.0f}.",
                                result.offered(), planned));
    }
  }
  return out;
}

/// True when the server missed the SLO by so much that the client's lag cannot be the cause.
bool server_alone_fails(const LoadResult& result, const OperationResult& operation) {
  if (operation.verdict != Verdict::fail || !operation.slo_p99) return false;
  const auto lag_us = result.totals.client.start_lag.quantile_us(0.99);
  return operation.totals.service.quantile_us(0.99) - 10 * lag_us > operation.slo_p99->count();
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::inconclusive:
      return "INCONCLUSIVE";
    case Verdict::invalid:
      return "INVALID";
  }
  return "INVALID";
}

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
  auto reasons = client_limits(result);
  if (!reasons.empty() && !result.stopped) {
    const auto clear =
        std::find_if(result.operations.begin(), result.operations.end(),
                     [&](const OperationResult& each) { return server_alone_fails(result, each); });
    if (clear == result.operations.end()) {
      result.verdict = Verdict::invalid;
      result.reasons = std::move(reasons);
      return;
    }
    reasons.push_back(fmt::format(
        "That does not explain {}: its service time alone misses the SLO.", clear->name));
  }
  bool fails = false;
  bool unproven = result.stopped || offered < kSamplesMin;
  if (result.stopped) reasons.emplace_back("The run was ended early.");
  if (offered < kSamplesMin) {
    reasons.push_back(fmt::format("Only {} operations were offered.", offered));
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
