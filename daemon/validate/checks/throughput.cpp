// Transactions a second that were done, at an offered rate above the claimed one. A transaction is
// one operation that ended without error, refusal or emptiness.
#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "validate/check.h"
#include "validate/load_facts.h"
#include "validate/load_terms.h"
#include "validate/rule_zero.h"

namespace pantryd::validate {
namespace {

constexpr double kRateMax = 1e6;
constexpr double kOfferedDefault = 1.1;
constexpr double kOfferedMin = 1.02;  // below it chance alone misses the claim too often
constexpr double kOneSided95 = 1.645;
constexpr std::int64_t kUsers = 100;

struct Keys {
  double at_least = 0;    ///< transactions a second
  bool headroom = false;  ///< the offered rate itself has to be done, within chance
  LoadNeed load;
  LoadTerms terms;
};

double offered_rate(YamlMap& map, double at_least, bool& has_headroom) {
  const auto offered = map.find("offered");
  const auto headroom = map.find("headroom");
  if (headroom) {
    if (offered) {
      throw headroom->error("headroom and offered exclude each other",
                            "Headroom of 30% offers 1.3 x at_least.");
    }
    has_headroom = true;
    return at_least * (1 + share_of(*headroom, 10));
  }
  if (!offered) return at_least * kOfferedDefault;
  const double rate = offered->as_number(0.01, kRateMax);
  if (rate < at_least * kOfferedMin) {
    throw offered->error("offered is below 1.02 x at_least: the claim could not come out true",
                         "Leave offered out to offer 1.1 x at_least.");
  }
  return rate;
}

Keys parse(YamlMap& map) {
  Keys out;
  const auto at_least = map.require("at_least");
  out.at_least = at_least.as_number(0.01, kRateMax);
  const double rate = offered_rate(map, out.at_least, out.headroom);
  if (rate > kRateMax) {
    throw at_least.error("at_least and its margin are above 1,000,000 operations a second");
  }
  out.load.rate_per_s = rate;
  parse_users(map, kUsers, out.load);
  out.terms = parse_terms(map);
  return out;
}

Needs needs(const Keys& keys) {
  return needs_of_load(keys.load, keys.terms);
}

/// Work that was done late still counts for throughput; the response times are reported too, so
/// that nobody reads this as quick answers.
void add_response_times(const loadgen::LoadResult& load, Judgement& out) {
  loadgen::Histogram all;
  std::int64_t worst_us = 0;
  std::string worst;
  for (const auto& operation : load.operations) {
    all.merge(operation.totals.response);
    const auto p99_us = operation.totals.response.quantile_us(0.99);
    if (p99_us <= worst_us) continue;
    worst_us = p99_us;
    worst = operation.name;
  }
  out.evidence.push_back(
      fmt::format("answered at that rate within p50 {}, p99 {}; the slowest is {} with p99 {}",
                  latency_text(all.quantile_us(0.5)), latency_text(all.quantile_us(0.99)), worst,
                  latency_text(worst_us)));
}

/// What has to be done a second. Headroom asks for the offered rate itself; of that, chance may
/// take as much as one Poisson stream in twenty falls short.
double needed_rate(const Keys& keys, double seconds) {
  if (!keys.headroom) return keys.at_least;
  const double rate = *keys.load.rate_per_s;
  return rate - kOneSided95 * std::sqrt(rate / std::max(seconds, 1.0));
}

Judgement judge_run(const Keys& keys, const loadgen::LoadResult& load) {
  Judgement out;
  const double done = load.completed_per_s();
  const double seconds = load.totals.client.measured_s;
  out.measured = fmt::format("{:.0f} TPS", done);
  out.evidence.push_back(
      fmt::format("{} offered at {:.0f}/s, {} done in the window, {} errors, {} not started in {}",
                  format_count(load.offered()), load.options.rate_per_s.value_or(0),
                  format_count(load.done_in_window()), format_count(load.errors()),
                  format_count(load.not_started()), format_duration(load.options.duration)));
  if (const auto& drained = load.totals.drained; drained.completed > 0) {
    out.evidence.push_back(
        fmt::format("{} more ended in the {:.0f} s after the window and do not count",
                    format_count(drained.completed), drained.seconds));
  }
  add_response_times(load, out);
  const double needed = needed_rate(keys, seconds);
  out.numbers.push_back(
      {"completed", done, "1/s", needed, Number::Bound::at_least, load.done_in_window()});
  if (done >= needed) {
    out.pass();
  } else if (static_cast<double>(load.offered()) < needed * seconds) {
    out.inconclusive(Reason::samples);
    out.evidence.emplace_back("chance alone brought fewer operations than the claim needs");
  } else {
    out.fail();
  }
  judge_all_operations(load, keys.terms.percentiles, out);
  judge_refused(load, keys.terms, out);
  apply_rule_zero(
      findings_of(load, keys.terms.errors_max),
      keys.terms.percentiles.empty() ? ClaimKind::throughput : ClaimKind::throughput_percentile,
      out);
  return out;
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  return judge_rounds(evidence, keys.load, keys.terms,
                      [&](const loadgen::LoadResult& load) { return judge_run(keys, load); });
}

}  // namespace

const Check* throughput_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("throughput");
  return &check;
}

}  // namespace pantryd::validate
