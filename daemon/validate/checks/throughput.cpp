// Transactions a second that were done, at an offered rate above the claimed one.
#include <fmt/format.h>

#include "base/units.h"
#include "validate/check.h"
#include "validate/load_facts.h"

namespace pantryd::validate {
namespace {

struct Keys {
  double at_least = 0;  ///< transactions a second
  double offered = 0;   ///< arrivals a second
  std::int64_t users = 100;
};

Keys parse(YamlMap& map) {
  Keys out;
  out.at_least = map.require("at_least").as_number(0.01, 1e6);
  const auto offered = map.require("offered");
  out.offered = offered.as_number(0.01, 1e6);
  if (out.offered < out.at_least) {
    throw offered.error("offered is below at_least: the claim could not come out true");
  }
  if (const auto users = map.find("users")) out.users = users->as_integer(1, 1000);
  return out;
}

LoadNeed load_of(const Keys& keys) {
  LoadNeed out;
  out.rate_per_s = keys.offered;
  out.users = out.connections = keys.users;
  return out;
}

Needs needs(const Keys& keys) {
  return {{load_of(keys)}, {}};
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

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  const auto* load = result_of(evidence, load_of(keys), out);
  if (load == nullptr) return out;
  const double done = load->completed_per_s();
  out.measured = fmt::format("{:.0f} TPS", done);
  out.evidence.push_back(
      fmt::format("{} offered at {:.0f}/s, {} done, {} errors, {} not started in {}",
                  format_count(load->offered()), load->options.rate_per_s.value_or(0),
                  format_count(load->completed()), format_count(load->errors()),
                  format_count(load->not_started()), format_duration(load->options.duration)));
  add_response_times(*load, out);
  add_outages(*load, out);
  const bool reached = done >= keys.at_least && error_share(*load) <= kErrorShareMax;
  if (reached && !load->stopped) {
    // The client's lateness adds to latencies, never to what was done.
    out.pass();
  } else if (!excused(*load, out)) {
    out.fail();
  }
  return out;
}

}  // namespace

const Check* throughput_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("throughput");
  return &check;
}

}  // namespace pantryd::validate
