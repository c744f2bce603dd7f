// A percentile of every operation, in a closed loop of a few users: what an operation costs when
// nothing queues before it.
#include <fmt/format.h>

#include "validate/check.h"
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

Judgement judge_run(const Keys& keys, const loadgen::LoadResult& load) {
  Judgement out;
  judge_each_operation(load, keys.terms.percentiles, out);
  const auto users =
      fmt::format("{} user{}", load.options.users, load.options.users == 1 ? "" : "s");
  if (!out.measured.empty()) out.measured += " with " + users;
  out.evidence.push_back(users + " in a closed loop");
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
