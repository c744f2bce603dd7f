// A check decides claims of one kind. To add one: a file in checks/ and its row in checks/list.cpp.
//
//   namespace pantryd::validate {
//   namespace {
//   struct Keys { std::int64_t at_least = 0; };
//   Keys parse(YamlMap& map) { return {map.require("at_least").as_integer(1, 1000)}; }
//   Needs needs(const Keys& keys) { ... }
//   Judgement judge(const Keys& keys, const Evidence& evidence) { ... }
//   }  // namespace
//   const Check* example_check() {
//     static constexpr auto check = make_check<Keys, parse, needs, judge>("example");
//     return &check;
//   }
//   }  // namespace pantryd::validate
#pragma once

#include <any>
#include <span>
#include <string_view>

#include "base/yaml.h"
#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

struct Check {
  std::string_view name;  ///< the value of `check:` in a sheet
  /// Reads the check's own keys. Throws Error(usage) with FILE:LINE:COLUMN for a claim that could
  /// never come out true, or not be tried.
  std::any (*parse)(YamlMap& map);
  /// The evidence that this claim wants. Checks that look at the servers' probes alone want
  /// nothing: every server is looked at anyway.
  Needs (*needs)(const std::any& keys);
  /// Pure: evidence in, judgement out. A number that is missing makes it INCONCLUSIVE, never zero.
  Judgement (*judge)(const std::any& keys, const Evidence& evidence);
};

/// The row of a check whose keys have a type of their own.
template <typename Keys, Keys (*kParse)(YamlMap&), Needs (*kNeeds)(const Keys&),
          Judgement (*kJudge)(const Keys&, const Evidence&)>
constexpr Check make_check(std::string_view name) {
  return {name, [](YamlMap& map) { return std::any(kParse(map)); },
          [](const std::any& keys) { return kNeeds(std::any_cast<const Keys&>(keys)); },
          [](const std::any& keys, const Evidence& evidence) {
            return kJudge(std::any_cast<const Keys&>(keys), evidence);
          }};
}

/// All checks, in the order of checks/list.cpp.
[[nodiscard]] std::span<const Check* const> checks();
/// Null for a name that no check has.
[[nodiscard]] const Check* find_check(std::string_view name);

}  // namespace pantryd::validate
