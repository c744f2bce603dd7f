// Users at once, each served within the limits. In a closed loop a user has an operation waiting or
// running, or thinks, at every moment; in an open loop the users at once are counted each second.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "validate/check.h"
#include "validate/load_facts.h"
#include "validate/load_terms.h"
#include "validate/rule_zero.h"

namespace pantryd::validate {
namespace {

constexpr double kMostOfTheTime = 0.5;

struct Keys {
  std::int64_t at_least = 0;
  LoadNeed load;
  LoadTerms terms;
};

Keys parse(YamlMap& map) {
  Keys out;
  out.at_least = map.require("at_least").as_integer(1, 100'000);
  if (const auto offered = map.find("offered")) {
    out.load.rate_per_s = offered->as_number(0.01, 1e6);
  }
  if (const auto think = map.find("think")) {
    if (out.load.rate_per_s) {
      throw think->error("think and offered exclude each other",
                         "Users think in a closed loop, and offered makes an open one.");
    }
    out.load.think = think->as_duration();
  }
  parse_users(map, out.at_least, out.load);
  if (out.load.users < out.at_least) {
    throw map.key("users").error("users is below at_least: the claim could not come out true");
  }
  out.terms = parse_terms(map);
  return out;
}

Needs needs(const Keys& keys) {
  return needs_of_load(keys.load, keys.terms);
}

struct AtOnce {
  std::int64_t seconds = 0;      ///< in which it was counted
  std::int64_t with_enough = 0;  ///< of those, with at least the claimed users
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::int64_t median = 0;
};

AtOnce users_at_once(const loadgen::LoadResult& load, std::int64_t wanted) {
  AtOnce out;
  std::vector<std::int64_t> all;
  for (const auto& window : load.totals.windows) {
    if (window.phase != loadgen::Phase::measured) continue;
    const auto users =
        load.options.rate_per_s ? window.queued + window.running : load.options.users;
    out.least = out.seconds == 0 ? users : std::min(out.least, users);
    out.most = std::max(out.most, users);
    all.push_back(users);
    ++out.seconds;
    if (users >= wanted) ++out.with_enough;
  }
  std::sort(all.begin(), all.end());
  if (!all.empty()) out.median = all[all.size() / 2];
  return out;
}

Judgement judge_run(const Keys& keys, const loadgen::LoadResult& load) {
  Judgement out;
  const auto at_once = users_at_once(load, keys.at_least);
  const double failed = static_cast<double>(load.errors() + load.not_started()) /
                        static_cast<double>(std::max<std::int64_t>(1, load.offered()));
  out.measured = fmt::format("{} users, {:.2f} % failed", at_once.most, failed * 100);
  out.evidence.push_back(fmt::format(
      "{} to {} users at once over {} connections, at least {} in {} of {} seconds; {:.0f}/s done",
      at_once.least, at_once.most, load.options.connections, keys.at_least, at_once.with_enough,
      at_once.seconds, load.completed_per_s()));
  out.numbers.push_back({"users", static_cast<double>(at_once.median), "users",
                         static_cast<double>(keys.at_least), Number::Bound::at_least,
                         at_once.seconds});
  for (const auto& [code, error] : load.totals.errors) {
    out.evidence.push_back(fmt::format("{} x {}: {}", error.count, code, error.first_message));
  }
  const double share = at_once.seconds == 0 ? 0
                                            : static_cast<double>(at_once.with_enough) /
                                                  static_cast<double>(at_once.seconds);
  if (load.completed() == 0) {
    out.fail();
    out.evidence.emplace_back("no operation was completed");
  } else if (share > kMostOfTheTime) {
    out.pass();
  } else {
    out.inconclusive(Reason::load);
    out.evidence.push_back(
        fmt::format("the load did not have {} users at once most of the time", keys.at_least));
  }
  judge_all_operations(load, keys.terms.percentiles, out);
  judge_refused(load, keys.terms, out);
  apply_rule_zero(findings_of(load, keys.terms.errors_max), ClaimKind::users, out);
  return out;
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  return judge_rounds(evidence, keys.load, keys.terms,
                      [&](const loadgen::LoadResult& load) { return judge_run(keys, load); });
}

}  // namespace

const Check* users_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("users");
  return &check;
}

}  // namespace pantryd::validate
