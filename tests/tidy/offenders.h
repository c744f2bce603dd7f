// Breaches that are known and not yet repaired, counted by rule and module. The table may only
// shrink.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// (rule, module) and how many findings it may have. A module is that of includes.h, or the first
/// folder of the path.
using Offenders = std::map<std::pair<std::string, std::string>, int>;

/// Lines "RULE MODULE COUNT" of tests/tidy/offenders.txt; # begins a comment.
[[nodiscard]] Offenders read_offenders(std::string_view text);

/// The findings of modules that have more than the table allows them; empty: the rule holds but for
/// what is known.
[[nodiscard]] Findings beyond(const std::string& rule, const Findings& findings,
                              const Offenders& known);

/// Rows of `rule` that allow more than was found: they have to be made smaller or removed.
[[nodiscard]] Findings outdated(const std::string& rule, const Findings& findings,
                                const Offenders& known);

}  // namespace pantryd::tidy
