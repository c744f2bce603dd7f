// A percentile of every operation, in a closed loop of a few users: what an operation costs when
// nothing queues before it.
#include <fmt/format.h>

#include <chrono>

#include "base/units.h"
#include "validate/check.h"
#include "validate/load_facts.h"
#include "validate/load_terms.h"
#include "validate/rule_zero.h"

namespace pantryd::validate {
namespace {

constexpr std::int64_t kUsers = 2;

struct Keys {
  LoadNeed load;
  LoadTerms terms;  ///< with at least one percentile, which holds for each operation
};

Keys parse(YamlMap& map) {
  Keys out;
  parse_users(map, kUsers, out.load);
  out.load.raise_rare = true;
  out.terms = parse_terms(map);
  if (const auto limit = map.find("limit")) {
    for (const auto& each : out.terms.percentiles) {
      if (each.key == "p99") throw limit->error("limit and p99 are the same; give one of them");
    }
    out.terms.percentiles.push_back({"p99", 0.99, limit->as_duration()});
  }
  if (out.terms.percentiles.empty()) {
    throw map.value().error("a claim of latency needs a percentile", "Write it as in p99: 1s.");
  }
  return out;
}

Needs needs(const Keys& keys) {
  return needs_of_load(keys.load, keys.terms);
}

/// What the operations of a run show together.
struct Seen {
  std::int64_t worst_us = -1;
  std::string worst;
  bool missed = false;
  bool unseen = false;
};

/// With too few samples for a percentile the highest of them stands for it.
std::int64_t tail_us(const loadgen::Histogram& response, double share) {
  const double beyond = static_cast<double>(response.count()) * (1 - share);
  return beyond >= 1 - 1e-9 ? response.quantile_us(share) : response.max_us();
}

void add_operation(const loadgen::OperationResult& operation, const Percentile& claimed, Seen& seen,
                   Judgement& out) {
  const auto& totals = operation.totals;
  const auto& response = totals.response;
  const auto failed = totals.errors + totals.not_started;
  const auto text = [&](std::int64_t us) {
    return response.count() == 0 ? std::string("-") : latency_text(us);
  };
  out.evidence.push_back(fmt::format(
      "{:<17} p50 {:>9}  p95 {:>9}  p99 {:>9}  max {:>9}  of {}{}", operation.name,
      text(response.quantile_us(0.5)), text(response.quantile_us(0.95)),
      text(response.quantile_us(0.99)), text(response.max_us()), response.count(),
      failed > 0 ? fmt::format(", {} errors, {} not started", totals.errors, totals.not_started)
                 : ""));
  if (response.count() == 0) {
    seen.unseen = true;
    return;
  }
  const auto us = tail_us(response, claimed.share);
  const auto limit_us =
      std::chrono::duration_cast<std::chrono::microseconds>(claimed.limit).count();
  seen.missed = seen.missed || us >= limit_us;
  if (us <= seen.worst_us) return;
  seen.worst_us = us;
  seen.worst = operation.name;
}

Judgement judge_run(const Keys& keys, const loadgen::LoadResult& load) {
  Judgement out;
  bool missed = false;
  bool unseen = load.operations.empty();
  for (const auto& claimed : keys.terms.percentiles) {
    Seen seen;
    Judgement lines;
    for (const auto& operation : load.operations) add_operation(operation, claimed, seen, lines);
    if (out.evidence.empty()) out.evidence = std::move(lines.evidence);
    missed = missed || seen.missed;
    unseen = unseen || seen.unseen;
    if (!seen.worst.empty()) {
      out.measured += fmt::format("{}worst {} {} ({})", out.measured.empty() ? "" : ", ",
                                  claimed.key, latency_text(seen.worst_us), seen.worst);
    }
  }
  const auto users =
      fmt::format("{} user{}", load.options.users, load.options.users == 1 ? "" : "s");
  if (!out.measured.empty()) out.measured += " with " + users;
  out.evidence.push_back(users + " in a closed loop");
  if (missed) {
    out.fail();
  } else if (unseen) {
    out.inconclusive(Reason::samples);
    out.evidence.emplace_back("an operation of the workload never ran");
  } else {
    out.pass();
  }
  judge_refused(load, keys.terms, out);
  apply_rule_zero(findings_of(load, keys.terms.errors_max), ClaimKind::latency, out);
  return out;
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  return judge_rounds(evidence, keys.load, keys.terms,
                      [&](const loadgen::LoadResult& load) { return judge_run(keys, load); });
}

}  // namespace

const Check* latency_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("latency");
  return &check;
}

}  // namespace pantryd::validate
